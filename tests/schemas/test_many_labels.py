"""Any number of labels a text: the forms they come in, thresholds, scores."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.schemas import ManyLabels

NAMED = ManyLabels(3, ("fun", "long", "sad"))
EXPECTED = [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    "labels",
    [
        [["fun", "sad"], [], ["long"]],
        [["sad", "fun"], [], ["long"]],
        [[0, 2], [], [1]],
        EXPECTED,
        np.array(EXPECTED),
        np.array(EXPECTED, "float32"),
        [("sad", "fun"), (), ("long",)],
        [[b"fun", b"sad"], [], [b"long"]],
    ],
)
def test_forms_in_python(labels):
    assert NAMED.targets(labels).tolist() == EXPECTED
    assert NAMED.targets(labels).dtype == "float32"


def test_an_array_of_lists():
    labels = np.empty(3, object)
    labels[:] = [["fun", "sad"], [], ["long"]]
    assert NAMED.targets(labels).tolist() == EXPECTED


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "text\tlabel\na\tfun, sad\nb\t\nc\tlong\n"),
        ("a.jsonl", '{"text": "a", "label": ["fun", "sad"]}\n{"text": "b", "label": []}\n'
                    '{"text": "c", "label": ["long"]}\n'),
    ],
)  # fmt: skip
def test_forms_in_tables(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    table = read_table(tmp_path / name)
    schema = ManyLabels.from_table(table, Columns())
    assert schema == NAMED
    assert schema.read_targets(table, Columns()).tolist() == EXPECTED
    other = ManyLabels(2, ("fun", "sad"))
    line = 4 if name == "a.tsv" else 3
    with pytest.raises(InputError, match=f"line {line}, column 'label': label 'long' is none of"):
        other.read_targets(table, Columns())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["fun", "sad"], "give a list of labels for each text; got 'fun'"),
        ([1, 0], "give a list of labels for each text; got 1"),
        ([["fun", "odd"]], "label 'odd' is none of fun, long, sad"),
        ([[0, 3]], "label 3 is outside 0..2"),
        (np.zeros((2, 4), int) + 3, "label 3 is outside"),
        ([[0.5, 0, 1]], "whole numbers or names; got 0.5"),
    ],
)
def test_labels_that_do_not_fit(labels, message):
    with pytest.raises(InputError, match=message):
        NAMED.targets(labels)


@pytest.mark.parametrize("thresholds", [0.0, 1.0, (0.5, 0.5), (0.2, 0.3, 1.5)])
def test_thresholds_that_do_not_fit(thresholds):
    with pytest.raises(InputError, match="thresholds"):
        ManyLabels(3, None, thresholds)


def test_thresholds_decide_and_scores_count():
    logits = np.log(np.array([[0.9, 0.3, 0.6], [0.2, 0.2, 0.2]]) / (1 - np.array([[0.9, 0.3, 0.6], [0.2, 0.2, 0.2]])))  # fmt: skip # noqa: E501
    schema = ManyLabels(3, ("fun", "long", "sad"), (0.5, 0.25, 0.7))
    outputs = schema.outputs(logits)
    np.testing.assert_allclose(outputs["probabilities"][0], [0.9, 0.3, 0.6], atol=1e-6)
    assert outputs["labels"].tolist() == [[1, 1, 0], [0, 0, 0]]
    first, second = schema.answers(outputs)
    assert first["labels"] == ["fun", "long"] and second == {"labels": [], "scores": []}
    assert first["scores"] == pytest.approx([0.9, 0.3], abs=1e-6)
    targets = np.array([[1, 0, 1], [0, 0, 0]])
    scores = schema.scores(outputs, targets)
    assert scores["micro_f1"] == pytest.approx(0.5)  # one of two given is right, one of two found
    assert scores["exact_match"] == 0.5
    expected = f1_score(targets, outputs["labels"], average="macro", zero_division=0)
    assert scores["macro_f1"] == pytest.approx(expected)
