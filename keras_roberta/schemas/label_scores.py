"""The probability of every label, by its name."""

from __future__ import annotations

import numpy as np


def scores_by_label(labels: tuple[str, ...], probabilities: np.ndarray) -> list[dict[str, float]]:
    """A dict of label and probability for each row of probabilities (rows, labels).

    >>> scores_by_label(("no", "yes"), np.array([[0.25, 0.75]]))
    [{'no': 0.25, 'yes': 0.75}]
    """
    return [
        dict(zip(labels, row, strict=True)) for row in np.asarray(probabilities, "float64").tolist()
    ]
