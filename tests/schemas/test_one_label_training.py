"""What training of one label of several can do besides: balance, calibrate, join columns."""

import dataclasses

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.jobs.finetune import TrainingData
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.schemas import ManyLabels, OneLabel, Value, schema_from_dict


def test_balanced_factors_are_those_of_scikit_learn():
    targets = np.array([0, 0, 0, 1, 2, 2], "int32")
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    np.testing.assert_allclose(OneLabel(3).balanced_factors(targets), expected, rtol=1e-6)
    soft = np.eye(3)[targets]
    np.testing.assert_allclose(OneLabel(3).balanced_factors(soft), expected, rtol=1e-6)
    # A class that does not occur is none of those that share the weight.
    found = OneLabel(4).balanced_factors(targets)
    np.testing.assert_allclose(found, [*expected, 1], rtol=1e-6)
    for other in (Value(), ManyLabels(2)):
        with pytest.raises(InputError, match="only where each text has one class"):
            other.balanced_factors(targets)


def test_a_temperature_softens_probabilities_and_keeps_answers():
    logits = np.array([[2.0, 0.0], [0.0, 4.0]], "float32")
    warm = OneLabel(2, temperature=2.0)
    found = warm.outputs(logits)
    np.testing.assert_allclose(found["score"], 1 / (1 + np.exp([-1.0, -2.0])), rtol=1e-6)
    assert found["label"].tolist() == [0, 1]
    np.testing.assert_array_equal(found["logits"], logits)
    assert schema_from_dict(warm.to_dict()) == warm
    assert "temperature" not in OneLabel(2).to_dict()  # as older versions read it


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf"), "2", True])
def test_what_is_no_temperature(temperature):
    with pytest.raises(InputError, match="temperature must be a positive number"):
        OneLabel(2, temperature=temperature)


def test_calibrated_to_the_targets():
    logits = np.array([[2.0, 0.0]] * 4)
    schema = OneLabel(2)
    found = schema.calibrated(schema.outputs(logits), np.array([0, 0, 0, 1]))
    assert found.temperature == pytest.approx(2 / np.log(3))
    assert dataclasses.replace(found, temperature=1.0) == schema
    details = found.details(found.outputs(logits), np.array([0, 0, 0, 1]))
    assert details.scores["calibration_error"] == pytest.approx(0, abs=1e-6)
    assert details.to_dict()["reliability"]["counts"] == [4]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text("label\ttitle\tbody\n1\tA gem\tfine\n0\tDull\t\n1\tGood\tvery\n0\tBad\tvery\n")
    return path


def test_several_columns_are_joined_by_line_breaks(table):
    texts = OneLabel(2).read_inputs(read_table(table), Columns(text="title, body"))
    assert texts == ["A gem\nfine", "Dull", "Good\nvery", "Bad\nvery"]
    pair = OneLabel(2).read_inputs(read_table(table), Columns(text="title", text_pair="body,title"))
    assert pair[1][0] == "fine\nA gem"
    with pytest.raises(InputError, match="no column 'text'.*--text-column"):
        OneLabel(2).read_inputs(read_table(table), Columns(text="title,text"))


def test_a_column_whose_name_has_a_comma(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text("a,b\ta\tlabel\nx\ty\t0\n")
    assert OneLabel(2).read_inputs(read_table(path), Columns(text="a,b")) == ["x"]


@pytest.mark.parametrize(
    ("task", "options", "problem"),
    [
        ("regress", {"label_smoothing": 0.1}, "label_smoothing: the task regress does not have it"),
        ("regress", {"class_weight": "balanced"}, "class_weight: the task regress"),
        ("regress", {"calibrate": True}, "calibrate: the task regress"),
        ("regress", {"confidence_penalty": 0.1}, "confidence_penalty: the task regress does not"),
        ("embed", {"r_drop": 1.0}, "r_drop: the task embed does not have it; leave it out"),
        ("classify", {"calibrate": True}, "calibrate: is decided by dev data; give a dev file"),
        ("classify", {"patience": 2}, "patience: is decided by dev data"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_the_tables(table, task, options, problem):
    options = FinetuneOptions(task=task, text_column="title", **options)
    with pytest.raises(InputError, match=problem):
        TrainingData.read(table, None, options)
