"""Values at the border of what is taken, given or counted."""

import numpy as np
import pytest

from keras_roberta.errors import InputError
from keras_roberta.schemas import ManyLabels, OneLabel, Value
from keras_roberta.schemas.metrics import best_threshold


def test_a_class_may_weigh_nothing():
    np.testing.assert_array_equal(OneLabel(2).class_factors({1: 0}), [1, 0])


def test_soft_labels_have_a_column_for_each_class():
    np.testing.assert_array_equal(OneLabel(2).targets(np.array([[True, False]])), [[1, 0]])
    with pytest.raises(InputError):
        OneLabel(2).targets(np.array([[0.1, 0.2, 0.7]]))


def test_large_logits_have_probabilities():
    found = OneLabel(2).outputs(np.array([[1000.0, 0.0]]))["probabilities"]
    np.testing.assert_array_equal(found, [[1, 0]])


@pytest.mark.parametrize("threshold", [0.3, 0.7])  # in float32 one is larger, one smaller
def test_a_label_is_given_from_its_threshold_on(threshold):
    second = np.array([threshold], "float32")
    outputs = {"probabilities": np.stack([1 - second, second], axis=1)}
    moved = OneLabel(2).at_threshold(outputs, threshold)
    assert moved["label"] == 1 and moved["score"] == second
    (found,) = OneLabel(2).details(moved, np.array([1])).thresholds
    assert found.f1 == 1
    many = ManyLabels(1).at_threshold({"probabilities": second[:, None]}, threshold)
    assert many["labels"] == 1


def test_many_labels_are_given_from_their_thresholds_on():
    assert ManyLabels(1).outputs(np.zeros((1, 1)))["labels"] == 1  # a probability of 0.5


@pytest.mark.parametrize("threshold", [0, 1, (0.5, 1.0)])
def test_thresholds_lie_between_0_and_1(threshold):
    with pytest.raises(InputError, match="between 0 and 1"):
        ManyLabels(2, thresholds=threshold)


@pytest.mark.parametrize("probabilities", [[0.0, 0.0], [1.0, 1 - 1e-9]])
def test_the_best_threshold_is_one_that_can_be_given(probabilities):
    best, _ = best_threshold(np.array([True, True]), np.array(probabilities))
    assert 0 < best < 1


@pytest.mark.parametrize("label", [[1.0, 2.0], "3.5", 1e39, float("nan")])
def test_what_is_no_value(label):
    with pytest.raises(InputError, match="a regression learns finite numbers"):
        Value().targets([0.5, label])


@pytest.mark.parametrize(("values", "targets"), [([1, 1], [1, 2]), ([1, 2], [1, 1])])
def test_what_does_not_vary_has_no_correlation(values, targets):
    assert Value().scores({"value": np.array(values)}, np.array(targets))["pearson"] is None


@pytest.mark.parametrize(
    ("found", "expected", "change"), [(-9.0, -10.0, 0.1), (0.001, 0.0, 0.001), (3.0, 2.0, 0.5)]
)
def test_values_change_by_a_share_of_the_largest_but_at_most_by_their_difference(
    found, expected, change
):
    found, expected = ({"value": np.array([x])} for x in (found, expected))
    assert Value().compare(found, expected).largest_change == pytest.approx(change)
