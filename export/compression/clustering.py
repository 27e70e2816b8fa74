"""Weight clustering while a task is trained."""

from __future__ import annotations

import numpy as np

from keras_roberta.export.compression.clustered_callback import ClusteredCallback
from keras_roberta.export.compression.model_optimization import part_of_tfmot
from keras_roberta.export.compression.shared_values import MOST_CLUSTERS, SharedValues
from keras_roberta.options import OptionError


class WeightClustering(ClusteredCallback):
    """A callback by which the weights of each matrix share a few values (Han et al., 2016, "Deep
    Compression", section 3).

    The first values are chosen by tensorflow-model-optimization's k-means++. The task is trained
    with the shared values in place of its weights, while the weights get the gradients and may
    change to another cluster; the values are the means of their clusters. When an epoch ends the
    weights themselves get the values that they share, so that the task, its presets and a state of
    the run need nothing else. Weights that are zero stay zero, and zero is one of the values.

    Args:
        clusters: values of each matrix, 2 to 256. A matrix that has no more than that keeps its
            clusters.
        frequency: steps between two assignments of weights to clusters.
        embeddings: cluster the table of token embeddings, too.

    Raises:
        OptionError: a number is out of bounds.
    """

    def __init__(self, clusters: int = 16, *, frequency: int = 10, embeddings: bool = False):
        super().__init__(frequency)
        if type(clusters) is not int or not 2 <= clusters <= MOST_CLUSTERS:
            raise OptionError("clusters", f": expected 2 to {MOST_CLUSTERS}; got {clusters!r}")
        self.clusters = clusters
        self._of_task = {"embeddings": embeddings}

    def prepare(self) -> None:
        shared = SharedValues(self.kernels, self.clusters, kmeans_plus_plus)
        self.train_with_shared(shared, lambda name, weight: shared.values[name].value)


def kmeans_plus_plus(weights: np.ndarray, number: int) -> np.ndarray:
    """The first centroids of k-means by tensorflow-model-optimization."""
    config = part_of_tfmot("clustering.keras.cluster_config")
    factory = part_of_tfmot("clustering.keras.clustering_centroids").CentroidsInitializerFactory
    kind = config.CentroidInitialization.KMEANS_PLUS_PLUS
    initializer = factory.get_centroid_initializer(kind)(weights.astype("float32"), number)
    return np.asarray(initializer.get_cluster_centroids(), weights.dtype)
