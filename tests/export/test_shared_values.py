"""Weights that share values: what k-means keeps, on any matrix."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_roberta.export.compression.shared_values import centroids_of, moved, num_clusters

WEIGHTS = arrays(
    np.float32, (4, 6), elements=st.sampled_from([0.0, 0.5, -0.25, 1.0, 2.5, -3.0, 0.125, 7.0])
)


def spread(weights, number):
    """First values: evenly spaced."""
    return np.linspace(weights.min(), weights.max(), number, dtype=weights.dtype)


@settings(deadline=None, max_examples=50)
@given(weights=WEIGHTS, clusters=st.integers(2, 6))
def test_few_values_that_are_means_and_zeros_stay(weights, clusters):
    shared, centroids = moved(weights, centroids_of(weights, clusters, spread))
    assert len(np.unique(shared)) <= clusters
    assert not shared[weights == 0].any()
    for value in centroids:
        of_cluster = weights[(shared == value) & (weights != 0)]
        np.testing.assert_allclose(value, of_cluster.mean(dtype=np.float64), rtol=1e-6, atol=1e-7)


@settings(deadline=None, max_examples=50)
@given(weights=WEIGHTS, clusters=st.integers(2, 6))
def test_what_is_clustered_stays_as_it_is(weights, clusters):
    shared, _ = moved(weights, centroids_of(weights, clusters, spread))
    again, _ = moved(shared, centroids_of(shared, clusters, None))
    np.testing.assert_array_equal(again, shared)


def test_which_matrices_count_as_clustered():
    random = np.random.default_rng(0)
    few = random.choice([0.0, -0.5, 0.25], (40, 40)).astype("float32")
    assert num_clusters(few) == 3
    assert num_clusters(random.normal(size=(40, 40))) is None
    assert num_clusters(np.arange(6.0)) is None  # each weight a value of its own
    late = np.concatenate([np.zeros(2000), random.normal(size=2000)])
    assert num_clusters(late) is None


def test_a_matrix_of_zeros():
    zeros = np.zeros((3, 4), np.float32)
    shared, centroids = moved(zeros, centroids_of(zeros, 4, None))
    assert not shared.any() and len(centroids) == 0
