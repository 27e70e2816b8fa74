"""The inference graph with matrices that are stored in fewer bits than they are computed with."""

import tensorflow as tf

from keras_roberta.export.edge_graph import EdgeGraph
from keras_roberta.export.operation_names import OWN_PROJECTION


class PackedGraph(EdgeGraph):
    """An `EdgeGraph` of a scheme of SavedModels.

    The encoder's and the vocabulary's matrices are packed. A head's other matrices are small, and
    a head may compute with them as it likes; they stay in float32, as vectors do.

    Packed matrices are variables. TensorFlow computes what depends on constants alone before it
    runs a graph (up to 10 MB each, see its common_runtime/constant_folding.h), and would keep the
    widened matrices beside the packed ones. What it reads from a variable it widens in each call,
    and frees it then.

    Args:
        task: see `EdgeGraph`.
        pack: see `SavedModelScheme`.

    Attributes:
        scales: variables by the names of those matrices that have scales.
    """

    def __init__(self, task, pack):
        super().__init__(task)
        self.scales = {}
        first_names = {}  # of what is packed, by the ids of variables, which layers may share
        for name, weight in list(self.weights.items()):
            if len(weight.shape) != 2 or (name.startswith("head/") and name != OWN_PROJECTION):
                continue
            first = first_names.setdefault(id(weight), name)
            if first == name:
                self._pack(name, *pack(weight.numpy(), 1 if name.endswith("/kernel") else 0))
                continue
            self.weights[name] = self.weights[first]
            if first in self.scales:
                self.scales[name] = self.scales[first]

    def _pack(self, name, numbers, scales):
        self.weights[name] = tf.Variable(numbers, trainable=False, name=name)
        if scales is not None:
            self.scales[name] = tf.Variable(scales, trainable=False, name=f"{name}/scales")

    def _rows(self, name, indices):
        rows = tf.cast(super()._rows(name, indices), tf.float32)
        if name in self.scales:
            rows *= tf.gather(self.scales[name], indices)[:, None]
        return rows

    def _product(self, x, name, transpose_b=False):
        if self.weights[name].dtype == tf.float32:
            return super()._product(x, name, transpose_b)
        # Not before `x` is there: a matrix depends on no input, and TensorFlow would widen all of
        # them when a call begins, and hold the whole model in float32 meanwhile.
        with tf.control_dependencies([x]):
            matrix = tf.cast(self.weights[name], tf.float32)
        x = tf.matmul(x, matrix, transpose_b=transpose_b)
        # The scales belong to outputs, and outputs are fewer than weights.
        return x * self.scales[name] if name in self.scales else x
