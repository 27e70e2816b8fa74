"""Answers out of logits, and their scores, thresholds and tables."""

import json

import numpy as np
import pytest

from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.ragged import Ragged
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.data.examples.windows import Windows
from keras_roberta.errors import InputError
from keras_roberta.schemas import AnswerSpan, schema_from_dict
from keras_roberta.schemas.best_spans import Window

CONTEXT = "Ü Nuuk is far"
OFFSETS = [(0, 0), (0, 1), (2, 6), (7, 9), (10, 13), (0, 0)]


def window(best, nothing=0.0, offsets=OFFSETS):
    """Logits that point to a token, or to `<s>`."""
    logits = np.zeros((len(offsets), 2), "float32")
    logits[best] = 4.0
    logits[0] = nothing
    return Window(logits, np.array(offsets))


@pytest.fixture
def outputs():
    schema = AnswerSpan(null_threshold=0.5)
    found = schema.of_windows([[window(2)], [window(4, nothing=9.0)]])
    return {**found, "context": np.array([CONTEXT, CONTEXT], object)}


def test_answers_and_none(outputs):
    first, second = AnswerSpan(null_threshold=0.5).answers(outputs)
    assert (first["text"], first["start"], first["end"]) == ("Nuuk", 2, 6)
    assert (second["text"], second["start"], second["end"]) == ("", 0, 0)
    assert outputs["answered"].tolist() == [1, 0]
    assert second["score"] == pytest.approx(1 / (1 + np.exp(8.0 - 18.0)), rel=1e-5)
    assert second["no_answer"] == second["score"]
    assert first["no_answer"] == pytest.approx(1 / (1 + np.exp(8.0)), rel=1e-5)


def test_without_a_threshold_there_is_an_answer():
    found = AnswerSpan().of_windows([[window(4, nothing=9.0)]])
    assert found["answered"].tolist() == [1] and found["start"].tolist() == [10]
    found["context"] = np.array([CONTEXT], object)
    assert "no_answer" not in AnswerSpan().answers(found)[0]
    (answer,) = AnswerSpan().answers(AnswerSpan().at_threshold(found, 0.9))
    assert answer["text"] == "" and answer["no_answer"] > 0.99


def test_another_threshold(outputs):
    schema = AnswerSpan(null_threshold=0.5)
    found = schema.at_threshold(outputs, 0.99999)
    assert [answer["text"] for answer in schema.answers(found)] == ["Nuuk", "far"]
    assert schema.at_threshold(outputs, 1e-9)["answered"].tolist() == [0, 0]
    with pytest.raises(InputError, match="threshold: give a probability"):
        schema.at_threshold(outputs, 1.0)
    with pytest.raises(InputError, match="null_threshold: give a probability"):
        AnswerSpan(null_threshold=-3)


def test_the_next_best(outputs):
    schema = AnswerSpan(max_answer_length=1)
    found = schema.of_windows([[window(2)]], n_best=9)
    found["context"] = np.array([CONTEXT], object)
    (answer,) = schema.answers(found)
    assert [part["text"] for part in answer["n_best"]][0] == "Nuuk"
    assert {part["text"] for part in answer["n_best"]} == {"Ü", "Nuuk", "is", "far"}
    scores = [part["score"] for part in answer["n_best"]]
    assert scores == sorted(scores, reverse=True)


def test_scores_and_the_best_threshold(outputs):
    schema = AnswerSpan(null_threshold=0.5)
    targets = schema.targets([{"text": "Nuuk", "answer_start": 2}, (10, 13)])
    assert schema.scores(outputs, targets) == {"exact": 50.0, "f1": 50.0}
    assert set(schema.ranking_scores(targets)) == {"exact", "f1"}
    assert schema.details(outputs, targets).scores == {}  # SQuAD 1.1
    targets = schema.targets([{"text": "Nuuk", "answer_start": 2}, None])
    assert schema.scores(outputs, targets) == {"exact": 100.0, "f1": 100.0}
    details = schema.details(outputs, targets).scores
    assert details["HasAns_total"] == details["NoAns_total"] == 1
    assert details["best_f1"] == 100.0
    assert details["best_f1_thresh"] == pytest.approx(float(outputs["no_answer"][0]))


def test_windows_of_an_exported_file_are_joined():
    """Its offsets are bytes; those of the answer are characters."""
    in_bytes = [(0, 0), (0, 2), (3, 7), (8, 10), (11, 14), (0, 0)]
    rows = [window(1, offsets=in_bytes[:3]), window(2, offsets=[(0, 0), *in_bytes[3:]])]
    logits = [row.logits for row in rows]
    lengths = [len(row.logits) for row in rows]
    numbers = np.zeros(2, np.int64)
    windows = Windows(
        Ragged(np.zeros(sum(lengths), np.int32), lengths), numbers, numbers, numbers, numbers, [4]
    )
    outputs = {
        "start_logits": [row[:, 0] for row in logits],
        "end_logits": [row[:, 1] for row in logits],
        "offsets": [row.offsets for row in rows],
    }
    schema = AnswerSpan(max_answer_length=1)
    logits[1][2] = 5.0  # the better one
    found = schema.join_windows(outputs, windows)
    assert (found["start"].tolist(), found["end"].tolist()) == ([11], [14])
    (answer,) = schema.answers(schema.with_texts(found, (["Where?"], [CONTEXT])))
    assert (answer["text"], answer["start"], answer["end"]) == ("far", 10, 13)
    found = schema.with_texts(schema.join_windows(outputs, windows, n_best=2), (["?"], [CONTEXT]))
    assert [part["text"] for part in schema.answers(found)[0]["n_best"]] == ["far", "Ü"]


def test_a_file_that_ends_within_a_character():
    """The whole character counts."""
    found = {"start": np.array([0]), "end": np.array([1])}
    outputs = AnswerSpan().with_texts(found, [("?", "日本")])
    assert (outputs["start"].tolist(), outputs["end"].tolist()) == ([0], [1])
    assert found["end"].tolist() == [1]


def test_answers_have_no_white_space_at_their_ends():
    found = AnswerSpan().of_windows([[window(2, offsets=[(0, 0), (0, 1), (1, 7)])]])
    (answer,) = AnswerSpan().answers({**found, "context": np.array([CONTEXT], object)})
    assert (answer["text"], answer["start"], answer["end"]) == ("Nuuk", 2, 6)


def write(tmp_path, rows):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return read_table(path)


def test_tables(tmp_path):
    answers = {"text": ["Nuuk"], "answer_start": [2]}
    rows = [{"question": "Where?", "context": CONTEXT, "answers": answers, "id": "x"}]
    table = write(tmp_path, rows)
    assert AnswerSpan.from_table(table, Columns()) == AnswerSpan()
    assert AnswerSpan().read_inputs(table, Columns()) == (["Where?"], [CONTEXT])
    rows.append({**rows[0], "answers": []})
    schema = AnswerSpan.from_table(write(tmp_path, rows), Columns())
    assert schema == AnswerSpan(null_threshold=0.5)
    assert schema_from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": " "}, "line 1, column 'question': it is empty; remove the line"),
        ({"context": ""}, "line 1, column 'context': it is empty"),
        ({"context": "is"}, "line 1, column 'answers': the answer 'Nuuk' at 2 ends behind"),
        ({"answers": "Nuuk"}, "line 1, column 'answers': an answer is"),
        ({"answers": {"text": ["far"], "answer_start": [2]}}, "it is at 10"),
    ],
)
def test_bad_rows_are_named(tmp_path, changes, message):
    answers = {"text": ["Nuuk"], "answer_start": [2]}
    row = {"question": "Where?", "context": CONTEXT, "answers": answers} | changes
    with pytest.raises(InputError, match=message):
        AnswerSpan().read_targets(write(tmp_path, [row]), Columns())


def test_files_of_predictions(tmp_path):
    answers = {"text": ["Nuuk"], "answer_start": [2]}
    rows = [
        {"question": "Where?", "context": CONTEXT, "answers": answers, "id": number}
        for number in ("x", "y")
    ]
    table = write(tmp_path, rows)
    scores, details = AnswerSpan.measure_predictions(table, Columns(), {"x": "the nuuk", "z": "a"})
    assert scores == {"exact": 50.0, "f1": 50.0} and details.scores == {"missing": 1}
    with pytest.raises(InputError, match="none of its questions has a prediction"):
        AnswerSpan.measure_predictions(table, Columns(), {"z": "a"})
    with pytest.raises(InputError, match="prediction 'x': expected text; got 3"):
        AnswerSpan.measure_predictions(table, Columns(), {"x": 3})


def test_missing_predictions_where_questions_have_no_answer(tmp_path):
    """They are wrong too: that nothing was said is no ""."""
    answers = {"text": ["Nuuk"], "answer_start": [2]}
    rows = [
        {"question": "Where?", "context": CONTEXT, "answers": of_row, "id": number}
        for number, of_row in {"a": answers, "b": answers, "c": [], "d": []}.items()
    ]
    table = write(tmp_path, rows)
    found = AnswerSpan.measure_predictions(table, Columns(), {"a": "Nuuk", "c": "", "d": ""})
    assert found[0] == {"exact": 75.0, "f1": 75.0}
    assert found[1].scores["HasAns_f1"] == 50.0 and found[1].scores["missing"] == 1
    _, details = AnswerSpan.measure_predictions(table, Columns(), {"a": "Nuuk", "c": ""})
    assert details.scores["NoAns_exact"] == 50.0 and details.scores["NoAns_total"] == 2


def test_predictions_are_measured_by_the_texts_of_answers_alone(tmp_path):
    """As in the official scripts; ids may be numbers."""
    elsewhere = {"text": ["Nuuk"], "answer_start": [0]}
    rows = [{"question": " ", "context": CONTEXT, "answers": elsewhere, "id": 7}]
    scores, _ = AnswerSpan.measure_predictions(write(tmp_path, rows), Columns(), {"7": "Nuuk"})
    assert scores == {"exact": 100.0, "f1": 100.0}


def test_predictions_for_answers_without_a_text(tmp_path):
    rows = [{"question": "?", "context": CONTEXT, "answers": [[2, 6]], "id": "x"}]
    scores, _ = AnswerSpan.measure_predictions(write(tmp_path, rows), Columns(), {"x": "Nuuk"})
    assert scores == {"exact": 100.0, "f1": 100.0}


def test_answers_of_token_ids_are_not_measured(outputs):
    del outputs["context"]
    for measure in (AnswerSpan().scores, AnswerSpan().details):
        with pytest.raises(InputError, match="answers of token ids have no text to measure"):
            measure(outputs, AnswerSpan().targets([(2, 6), None]))


@pytest.mark.parametrize(
    "setting", [{"max_answer_length": 0}, {"max_answer_length": "a"}, {"stride": -1}]
)
def test_bad_settings(setting):
    with pytest.raises(InputError, match=next(iter(setting))):
        AnswerSpan(**setting)
