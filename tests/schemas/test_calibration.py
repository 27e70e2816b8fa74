"""Temperature and calibration error, beside what can be computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_roberta.errors import InputError
from keras_roberta.schemas.calibration import (
    LARGEST_TEMPERATURE,
    SMALLEST_TEMPERATURE,
    fitted_temperature,
    reliability,
)


def cross_entropy(logits, targets, temperature):
    z = logits / temperature
    norms = np.log(np.exp(z - z.max(axis=1, keepdims=True)).sum(axis=1)) + z.max(axis=1)
    return float(np.mean(norms - z[np.arange(len(z)), targets]))


def test_two_classes_by_hand():
    """With logits (2, 0) everywhere and three of four right, sigmoid(2 / T) has to be 3/4."""
    logits, targets = np.array([[2.0, 0.0]] * 4), np.array([0, 0, 0, 1])
    assert fitted_temperature(logits, targets) == pytest.approx(2 / np.log(3))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_no_other_temperature_is_better(seed):
    random = np.random.default_rng(seed)
    logits = random.normal(size=(40, 3)) * random.uniform(0.5, 5)
    targets = np.where(random.random(40) < 0.7, logits.argmax(axis=1), random.integers(0, 3, 40))
    found = fitted_temperature(logits, targets)
    best = cross_entropy(logits, targets, found)
    for other in np.geomspace(SMALLEST_TEMPERATURE, LARGEST_TEMPERATURE, 50):
        assert best <= cross_entropy(logits, targets, other) + 1e-9


def test_soft_targets_are_weighed_classes():
    logits = np.array([[2.0, 0.0]] * 4)
    soft = np.array([[0.75, 0.25]] * 4)
    assert fitted_temperature(logits, soft) == pytest.approx(2 / np.log(3))


def test_where_there_is_no_best_temperature():
    logits = np.array([[3.0, -1.0], [0.0, 2.0]])
    assert fitted_temperature(logits, np.array([0, 1])) == SMALLEST_TEMPERATURE  # all right
    assert fitted_temperature(logits, np.array([1, 0])) == LARGEST_TEMPERATURE  # all wrong
    with pytest.raises(InputError, match="there are none"):
        fitted_temperature(np.zeros((0, 2)), np.zeros(0, int))


def test_the_error_by_hand():
    scores = np.array([0.1, 0.95, 0.95, 0.92, 0.55])
    found = reliability(scores, np.array([0, 1, 0, 1, 1]), bins=10)
    # 0.1 belongs to the first bin, whose upper bound it is.
    np.testing.assert_allclose(found.upper, [0.1, 0.6, 1.0])
    assert found.counts.tolist() == [1, 1, 3]
    np.testing.assert_allclose(found.accuracy, [0, 1, 2 / 3])
    np.testing.assert_allclose(found.confidence, [0.1, 0.55, 0.94])
    assert found.error == pytest.approx((0.1 + 0.45 + 3 * (0.94 - 2 / 3)) / 5)
    assert found.to_dict()["counts"] == [1, 1, 3]


def test_the_ends_have_a_bin():
    found = reliability(np.array([0.0, 1.0]), np.array([False, True]))
    assert found.counts.tolist() == [1, 1] and found.error == 0.0
