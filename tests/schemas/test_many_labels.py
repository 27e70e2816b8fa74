"""Any number of labels a text: the forms they come in, thresholds, scores."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf
from sklearn.metrics import f1_score

from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.schemas import ManyLabels
from keras_roberta.tasks.multi_label_classifier import MarksAccuracy

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
        pa.array([["fun", "sad"], [], ["long"]]),
        pl.Series([["fun", "sad"], [], ["long"]]),
        pd.Series([["fun", "sad"], [], ["long"]]),
        tf.ragged.constant([["fun", "sad"], [], ["long"]]),
        tf.ragged.constant([[0, 2], [], [1]]),
    ],
)
def test_forms_in_python(labels):
    assert NAMED.targets(labels).tolist() == EXPECTED
    assert NAMED.targets(labels).dtype == "float32"


def test_a_ragged_tensor_holds_label_numbers():
    """Also where all of its rows are of one length, by chance."""
    assert NAMED.targets(tf.ragged.constant([[0], [1]])).tolist() == [[1, 0, 0], [0, 1, 0]]


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


MARKS = '{"text": "a", "label": [1, 0, 1]}\n{"text": "b", "label": [0, 0, 0]}\n'


def test_marks_in_json(tmp_path):
    (tmp_path / "a.jsonl").write_text(MARKS)
    table = read_table(tmp_path / "a.jsonl")
    schema = ManyLabels.from_table(table, Columns())
    assert schema == ManyLabels(3)
    assert schema.read_targets(table, Columns()).tolist() == [[1, 0, 1], [0, 0, 0]]
    with pytest.raises(InputError, match="line 1, column 'label': label 1 is named twice"):
        ManyLabels(4).read_targets(table, Columns())
    with pytest.raises(InputError, match="rows of 3 marks, but --num-classes is 4"):
        ManyLabels.from_table(table, Columns(), num_classes=4)


def test_names_that_look_like_numbers(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": [1, "no"]}\n')
    table = read_table(tmp_path / "a.jsonl")
    schema = ManyLabels.from_table(table, Columns())
    assert schema.labels == ("1", "no")
    assert schema.read_targets(table, Columns()).tolist() == [[1, 1]]


def test_numbers_that_are_no_class_numbers_are_names(tmp_path):
    (tmp_path / "a.tsv").write_text("text\tlabel\na\t5000,3\n")
    table = read_table(tmp_path / "a.tsv")
    schema = ManyLabels.from_table(table, Columns())
    assert schema.labels == ("3", "5000")
    assert schema.read_targets(table, Columns()).tolist() == [[1, 1]]


def test_probabilities_as_marks():
    soft = [[0.5, 0, 1], [0.25, 0.125, 0]]
    for labels in (soft, np.array(soft)):
        assert NAMED.targets(labels).tolist() == soft


def test_probabilities_as_targets_are_measured_in_one_way():
    """From 0.5 on a label is true: in the scores, in the details and in training's accuracy."""
    schema, soft, hard = ManyLabels(2), np.array([[0.9, 0.1], [0.5, 0.4]]), [[1, 0], [1, 0]]
    outputs = schema.outputs(np.array([[2.0, -2.0], [2.0, 2.0]]))
    assert schema.scores(outputs, soft) == schema.scores(outputs, np.array(hard))
    assert schema.scores(outputs, soft)["exact_match"] == 0.5
    details, expected = (schema.details(outputs, np.array(t)).to_dict() for t in (soft, hard))
    assert details == expected
    assert [one["support"] for one in details["classes"]] == [2, 0]
    accuracy = MarksAccuracy(threshold=0.0)
    assert float(accuracy(soft, outputs["logits"])) == 0.75


def test_two_classes():
    """A list names classes, an array marks them."""
    assert ManyLabels(2).targets([[0, 1], [1], []]).tolist() == [[1, 1], [0, 1], [0, 0]]
    assert ManyLabels(2).targets([[0, 1]]).tolist() == [[1, 1]]
    assert ManyLabels(2).targets(np.array([[0, 1]])).tolist() == [[0, 1]]
    assert ManyLabels(1).targets(np.array([[0], [1]])).tolist() == [[0], [1]]
    assert ManyLabels(1).targets([[0], []]).tolist() == [[1], [0]]


def test_probabilities_of_large_logits():
    with np.errstate(all="raise"):
        outputs = ManyLabels(2).outputs(np.array([[1000.0, -1000.0]]))
    assert outputs["probabilities"].tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["fun", "sad"], "give a list of labels for each text; got 'fun'"),
        ([1, 0], "give a list of labels for each text; got 1"),
        ([["fun", "odd"]], "label 'odd' is none of fun, long, sad"),
        ([[0, 3]], "label 3 is outside 0..2"),
        ([["fun", "fun"]], "label 'fun' is named twice"),
        ([[1, 0, 1], [1, 1]], "label 1 is named twice"),
        (np.zeros((2, 2), int), "marks for 2 classes, but there are 3"),
        (np.zeros((2, 4), int) + 3, "label 3 is outside"),
        ([[0.5, 0, 2]], "row 0: .*learns others.; got 0.5"),
        ([[], [None]], "row 1: .*got None"),
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
