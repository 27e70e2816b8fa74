"""What pairs of texts in tables mean to an embedder, and how vectors are scored."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.schemas import TextVectors, schema_from_dict


@pytest.fixture
def write(tmp_path):
    def write(*rows, name="t.tsv"):
        path = tmp_path / name
        path.write_text("\n".join("\t".join(map(str, row)) for row in rows) + "\n")
        return read_table(path)

    return write


def learnt(table, columns=None):
    columns = columns or Columns()
    schema = TextVectors.from_table(table, columns)
    return schema, schema.read_inputs(table, columns), schema.read_targets(table, columns)


def test_scores_on_a_scale_of_their_own(write):
    table = write(("text", "text_pair", "score"), ("a", "b", 1), ("c", "d", 5), ("e", "f", 2))
    schema, inputs, targets = learnt(table)
    assert schema.score_range == (1, 5) and schema.main_score_of(targets) == "spearman"
    assert schema.task_settings() == {"score_range": (1, 5)}
    assert inputs == (["a", "c", "e"], ["b", "d", "f"])
    np.testing.assert_allclose(targets, [1, 5, 2])


@pytest.mark.parametrize("scores", [(0, 1), (-1, 0.5), (0.2, 0.2)])
def test_scores_that_are_cosines(write, scores):
    rows = [("a", "b", score) for score in scores]
    schema, _, targets = learnt(write(("text", "text_pair", "label"), *rows))
    assert schema.task_settings() == {"score_range": None}  # whatever the preset was trained with
    np.testing.assert_allclose(targets, scores)


def test_pairs_without_scores(write):
    table = write(("text", "text_pair"), ("a", "b"), ("a", "c"), ("d", "b"))
    schema, _, targets = learnt(table)
    assert schema.main_score_of(targets) == "mrr" and schema.score_range is None
    assert targets.tolist() == [[0, 1], [0, 2], [3, 1]]
    assert TextVectors.needs_no_labels(table, Columns())


def test_pairs_without_scores_may_be_measured_on_pairs_with_scores(write):
    trained, _, targets = learnt(write(("text", "text_pair"), ("a", "b"), ("c", "d")))
    header = ("text", "text_pair", "score")
    for scores, expected in [((0, 5, 2), (0, 5)), ((0, 1, 0.5), None)]:
        dev = write(header, *(("e", "f", score) for score in scores))
        measured = trained.read_targets(dev, Columns())
        schema = trained.with_dev_targets(targets, measured)
        assert schema.score_range == expected
        assert schema.main_score_of(measured) == "spearman"
        outputs = {"vector": np.eye(4)[[[0, 1], [2, 2], [3, 2]]]}
        outputs["vector"][2, 1, 3] = 1.0
        assert schema.scores(outputs, measured)["spearman"] == pytest.approx(1.0)
    assert trained.with_dev_targets(targets, targets) == trained
    cosines, _, few = learnt(write(header, ("a", "b", 0), ("a", "b", 1)))
    with pytest.raises(InputError, match="training data are cosines.*dev data are from 0 to 5"):
        cosines.with_dev_targets(few, np.array([0.0, 5.0], "float32"))


def test_negatives_and_named_columns(write):
    table = write(("q", "p", "negative", "negative_2"), ("a", "b", "c", "d"), ("e", "f", "g", "b"))
    _, inputs, targets = learnt(table, Columns(text="q", text_pair="p"))
    assert inputs == (["a", "e"], ["b", "f"], ["c", "g"], ["d", "b"])
    assert targets.tolist() == [[0, 1, 2, 3], [4, 5, 6, 1]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("text", "score"), ("a", 1)], "t.tsv: an embedder learns from pairs.*text_pair"),
        ([("text", "text_pair", "score"), ("a", "b", "high")], "line 2, column 'score'.*number"),
        ([("text", "text_pair", "score"), ("a", " ", 1)], "line 2: .*no text"),
        ([("text", "text_pair", "score"), ("a", "b", 3)], "'score': all scores are 3, which is no"),
        ([("text", "text_pair"), ("a", "b"), ("", "c")], "line 3: .*no text"),
        ([("a", "b", "c"), ("a", "b", "c")], "which column holds the texts"),
    ],
)
def test_tables_that_do_not_fit(write, rows, message):
    with pytest.raises(InputError, match=message):
        learnt(write(*rows))


def test_scores_in_python():
    np.testing.assert_allclose(TextVectors(score_range=(0, 5)).targets([[0], [5]]), [0, 5])
    # A range is for learning; correlations need none.
    np.testing.assert_allclose(TextVectors().targets([0.5, 4]), [0.5, 4])
    for wrong in ("high", None, float("nan"), [1, 2]):
        with pytest.raises(InputError, match="row 1: expected the score"):
            TextVectors().targets([0.5, wrong])
    numbers = np.array([[0, 1], [2, 1]])
    assert TextVectors().targets(numbers) is numbers
    for wrong in ((1, 1), (2, 1), (0, float("inf")), 3, "ab", (1, 2, 3)):
        with pytest.raises(InputError, match="score_range"):
            TextVectors(score_range=wrong)


def test_scores_of_pairs():
    random = np.random.default_rng(0)
    pairs, targets = random.normal(size=(40, 2, 6)), random.integers(0, 5, 40) / 5
    found = TextVectors().scores({"vector": pairs}, targets)
    a, b = pairs[:, 0], pairs[:, 1]
    cosine = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
    assert found["spearman"] == pytest.approx(spearmanr(cosine, targets).statistic)
    assert found["pearson"] == pytest.approx(pearsonr(cosine, targets).statistic)
    details = TextVectors().details({"vector": pairs}, targets)
    assert details.scores["mse"] == pytest.approx(np.mean((cosine - targets) ** 2))
    wider = TextVectors(score_range=(1, 5)).details({"vector": pairs}, 1 + 4 * targets)
    assert wider.scores["mse"] == pytest.approx(details.scores["mse"])
    assert TextVectors().details({"vector": pairs}, 1 + 4 * targets).scores == {}
    constant = TextVectors().scores({"vector": pairs}, np.ones(40))
    assert constant == {"spearman": None, "pearson": None}
    assert TextVectors().ranking_scores(targets) == tuple(constant)


def test_scores_of_pairs_that_belong_together():
    vectors = np.eye(4)[[[0, 0], [1, 1], [2, 3], [3, 2]]]  # the last two are exchanged
    vectors[2, 1] += 0.5 * vectors[2, 0]  # but the third's own is the second best
    numbers = np.arange(8).reshape(4, 2)
    found = TextVectors().scores({"vector": vectors}, numbers)
    assert found["recall_at_1"] == 0.5
    assert set(TextVectors().ranking_scores(numbers)) == set(found)
    details = TextVectors().details({"vector": vectors}, numbers).scores
    assert details["recall_at_5"] == 1.0


def test_answers_and_kept_values():
    schema = TextVectors("query: ", "passage: ", (1, 5))
    assert schema_from_dict(schema.to_dict()) == schema
    vectors = np.array([[0.6, 0.8], [1.0, 0.0]], "float32")
    (first, second) = schema.answers({"vector": vectors})
    assert second == {"vector": [1.0, 0.0]} and set(first) == {"vector"}
    (score,) = schema.answers({"vector": vectors[None]})
    assert score == {"score": pytest.approx(0.6)}


def test_how_far_vectors_are_apart():
    schema = TextVectors()
    expected = np.array([[3.0, 4.0], [0.0, 1.0]])
    assert schema.compare({"vector": expected}, {"vector": expected}).largest_change == 0
    found = expected + [[0.0, 0.5], [0.0, 0.0]]  # a tenth of the length
    assert schema.compare({"vector": found}, {"vector": expected}).largest_change == (
        pytest.approx(0.05)
    )
    assert schema.compare({"vector": -expected}, {"vector": expected}).largest_change == 1
    found[1, 1] = np.nan
    assert schema.compare({"vector": found}, {"vector": expected}).largest_change == np.inf


def test_rows_of_an_exported_file():
    schema = TextVectors("query: ")
    pairs, vectors = (["a", "b"], ["c", "d"]), {"vector": np.arange(8.0).reshape(4, 2)}
    assert schema.texts_of(["a", "b"]) == (["a", "b"], None)
    assert schema.texts_of(pairs) == (["a", "c", "b", "d"], None)
    joined = schema.with_texts(vectors, pairs)
    assert joined["vector"].tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    assert schema.with_texts(vectors, list("abcd")) is vectors
    assert schema.with_texts(joined, pairs) is joined
    with pytest.raises(InputError, match="prefixes of their own"):
        TextVectors("query: ", "passage: ").texts_of((["a"], ["b"]))
