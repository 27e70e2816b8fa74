"""How far the outputs of two models for the same texts are apart."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How far two models' outputs for the same texts are apart.

    Attributes:
        agreement: share of the answers that are the same; None where answers are numbers.
        largest_change: of a probability, or of a value as a share of the largest value (at least
            1, so that values near 0 are compared as they are).
    """

    agreement: float | None
    largest_change: float


def changed_by(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest absolute difference; infinite where one is not a number.

    >>> changed_by(np.array([0.5, 1.0]), np.array([0.25, 1.0]))
    0.25
    """
    difference = np.abs(np.asarray(found, "float64") - np.asarray(expected, "float64"))
    return float(np.max(np.nan_to_num(difference, nan=np.inf), initial=0.0))
