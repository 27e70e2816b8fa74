"""Weights that share a few values: k-means in one dimension."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np

from keras_roberta.export.compression.kernels import variable_like

# Lloyd's steps after the choice of the first values.
_STEPS = 10
# A matrix of no more values than this, and of many weights for each, is taken for clustered.
MOST_CLUSTERS = 256
_WEIGHTS_A_CLUSTER = 4


class SharedValues:
    """For each matrix, its weights moved to the mean of their cluster; zeros stay zeros.

    Args:
        kernels: by name. To be made in the scope of the strategy that trains them.
        clusters: values of a matrix, with zero where it has zeros; None: only
            matrices that are clustered already, each with the number it has.
        first_values: function of weights and a number, gives the values to begin k-means with.
    """

    def __init__(
        self,
        kernels: Mapping[str, keras.Variable],
        clusters: int | None = None,
        first_values: Callable[[np.ndarray, int], np.ndarray] | None = None,
    ):
        self._kernels, self._centroids, self.values = {}, {}, {}
        for name, kernel in kernels.items():
            weights = np.array(kernel)
            number = clusters or num_clusters(weights)
            if number is None:
                continue
            self._kernels[name] = kernel
            self._centroids[name] = centroids_of(weights, number, first_values)
            self.values[name] = variable_like(kernel, weights)
        self.update()

    def update(self) -> None:
        """Assigns each weight to the nearest value, and each value to the mean of its weights."""
        for name, kernel in self._kernels.items():
            weights = np.array(kernel)
            shared, self._centroids[name] = moved(weights, self._centroids[name])
            self.values[name].assign(shared)

    def settle(self) -> None:
        """Gives the kernels themselves the values that they share."""
        self.update()
        for name, kernel in self._kernels.items():
            kernel.assign(self.values[name].value)


def num_clusters(weights: np.ndarray) -> int | None:
    """How many values a matrix has, or None where it is not clustered.

    >>> num_clusters(np.array([0.5, 0.5, 0.0, 0.5, -1.0] * 3)), num_clusters(np.arange(9.0))
    (3, None)
    """
    most = min(MOST_CLUSTERS, weights.size // _WEIGHTS_A_CLUSTER)
    few = weights.ravel()[: 4 * (MOST_CLUSTERS + 1)]
    if len(np.unique(few)) > most:  # which spares sorting all of them
        return None
    number = len(np.unique(weights))
    return number if number <= most else None


def centroids_of(
    weights: np.ndarray,
    clusters: int,
    first_values: Callable[[np.ndarray, int], np.ndarray] | None,
) -> np.ndarray:
    """The values of a matrix's clusters but for zero, ascending."""
    others = weights[weights != 0]
    clusters -= len(others) < weights.size  # zero is one of them
    if len(others) == 0:
        return np.zeros(0, weights.dtype)
    known = np.unique(others)
    if len(known) <= clusters:
        return known
    centroids = np.unique(first_values(others, clusters))
    for _ in range(_STEPS):
        _, centroids = moved(others, centroids)
    return centroids


def moved(weights: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A step of Lloyd's algorithm.

    Args:
        weights: float, of any shape.
        centroids: ascending, without zero.

    Returns:
        Each weight replaced by the mean of the weights that have the same nearest centroid, zeros
        by zeros; and these means, ascending. A centroid that is nearest to none is left out.

    >>> moved(np.array([0.0, 1.0, 3.0, 9.0]), np.array([1.0, 8.0, 50.0]))
    (array([0., 2., 2., 9.]), array([2., 9.]))
    """
    flat = weights.ravel()
    is_zero = flat == 0
    shared, others = np.zeros_like(flat), flat[~is_zero]
    nearest = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, others)
    counts = np.bincount(nearest, minlength=len(centroids))
    sums = np.bincount(nearest, others, minlength=len(centroids))
    means = (sums / np.maximum(counts, 1)).astype(weights.dtype)
    shared[~is_zero] = means[nearest] if len(others) else 0
    return shared.reshape(weights.shape), means[counts > 0]
