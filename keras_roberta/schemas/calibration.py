"""Whether probabilities are right as often as they say: measured, and put right by a temperature.

Guo et al., "On Calibration of Modern Neural Networks", 2017.
"""

from __future__ import annotations

import dataclasses
import math
import numbers

import numpy as np

from keras_roberta.errors import InputError

BINS = 15  # as in the paper's tables
SMALLEST_TEMPERATURE, LARGEST_TEMPERATURE = 0.05, 20.0


@dataclasses.dataclass(frozen=True)
class Reliability:
    """How often answers of like probability are right; the bins that hold any.

    Attributes:
        lower, upper: bounds of each bin, float (bins,); it holds the probabilities above the lower
            one up to the upper one.
        counts: answers in it, int (bins,).
        confidence: their mean probability.
        accuracy: the share of them that is right.
    """

    lower: np.ndarray
    upper: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error (section 2): the mean gap between probability and share of
        right answers, weighted by answers."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float((self.counts * gaps).sum() / max(self.counts.sum(), 1))

    def to_dict(self) -> dict[str, list]:
        """As JSON holds it."""
        return {f.name: getattr(self, f.name).tolist() for f in dataclasses.fields(self)}


def checked_temperature(temperature: float) -> float:
    """Raises an InputError unless a temperature is a positive number."""
    is_number = isinstance(temperature, numbers.Real) and not isinstance(temperature, bool)
    if not is_number or not 0 < temperature < math.inf:
        raise InputError(f"temperature must be a positive number; got {temperature!r}")
    return float(temperature)


def reliability(scores: np.ndarray, right: np.ndarray, bins: int = BINS) -> Reliability:
    """The `Reliability` of answers, in bins of equal width.

    Args:
        scores: the probability of each answer, in [0, 1], (rows,).
        right: whether it is right, bool (rows,).

    >>> found = reliability(np.array([0.9, 0.9, 0.6]), np.array([True, False, True]), bins=2)
    >>> found.counts.tolist(), round(found.error, 3)
    ([3], 0.133)
    """
    scores, right = np.asarray(scores, "float64"), np.asarray(right, "float64")
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    held = np.flatnonzero(counts)
    sums = (np.bincount(place, values, bins)[held] for values in (scores, right))
    confidence, accuracy = (total / counts[held] for total in sums)
    return Reliability(edges[held], edges[held + 1], counts[held], confidence, accuracy)


def fitted_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature of which softmax(logits / temperature) has the smallest cross-entropy
    (section 4.2).

    Args:
        logits: float (rows, classes).
        targets: class numbers, int (rows,), or a probability a class, float (rows, classes).

    Returns:
        between `SMALLEST_TEMPERATURE`, as where every answer is right, and `LARGEST_TEMPERATURE`.

    Raises:
        InputError: there are no rows.
    """
    logits, targets = np.asarray(logits, "float64"), np.asarray(targets)
    if not len(logits):
        raise InputError("a temperature is fitted on texts with labels; there are none")
    if targets.ndim == 1:
        targets = np.eye(logits.shape[1])[targets]
    logits = logits - logits.max(axis=1, keepdims=True)
    of_targets = (targets * logits).sum(axis=1)

    def slope(factor):
        """Of the cross-entropy, by the factor of the logits; it rises, since that is convex."""
        powers = np.exp(factor * logits)
        means = (powers * logits).sum(axis=1) / powers.sum(axis=1)
        return (means * targets.sum(axis=1) - of_targets).mean()

    low, high = 1 / LARGEST_TEMPERATURE, 1 / SMALLEST_TEMPERATURE
    if slope(low) >= 0:
        return LARGEST_TEMPERATURE
    if slope(high) <= 0:
        return SMALLEST_TEMPERATURE
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return float(1 / low)
