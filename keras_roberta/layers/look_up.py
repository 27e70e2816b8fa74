"""Rows of an embedding table, with a gradient that every optimizer takes."""

import contextlib
import contextvars
from collections.abc import Iterator

import keras
from keras import ops

from keras_roberta.layers.tensor import Tensor

_AS_SLICES = contextvars.ContextVar("gradients as slices", default=False)


@contextlib.contextmanager
def gradients_as_slices() -> Iterator[None]:
    """A context in which the gradient of a table has one slice for each token that was looked up.

    A row that was looked up twice has two slices. It is for an optimizer that adds them up itself,
    and then updates only these rows (`RobertaAdamW`).
    """
    token = _AS_SLICES.set(True)
    try:
        yield
    finally:
        _AS_SLICES.reset(token)


def look_up(layer: keras.layers.Embedding, ids: Tensor) -> Tensor:
    """What an embedding layer gives, with a dense gradient on every backend.

    TensorFlow's own gradient is `tf.IndexedSlices`, with a slice for each token. Keras's optimizers
    square each slice by itself, so a row that stands twice in a batch would get another second
    moment than by the dense gradient. Slices can only be added up after those of all look-ups, and
    of all replicas, have come together; dense gradients are added up by TensorFlow.

    Args:
        layer: a `keras.layers.Embedding`.
        ids: int, of any shape.

    Returns:
        float (*ids.shape, output_dim), of the layer's compute dtype.
    """
    if keras.backend.backend() != "tensorflow" or layer.quantization_mode:
        return layer(ids)
    import tensorflow as tf

    # A variable; a tensor in compiled steps and with adapters.
    table = getattr(layer.embeddings, "value", layer.embeddings)

    def gradient(upstream, variables=()):
        flat = tf.reshape(upstream, (-1, table.shape[1]))
        dense = tf.math.unsorted_segment_sum(flat, tf.reshape(ids, (-1,)), table.shape[0])
        return (None, [dense]) if variables else dense

    # Of a variable only the rows are read. An optimizer may update it in place, and reading all of
    # it after that would copy it.
    if _AS_SLICES.get():
        rows = tf.gather(table, ids)
    elif isinstance(table, tf.Variable):
        rows = tf.custom_gradient(lambda ids: (tf.gather(table, ids), gradient))(ids)
    else:
        rows = tf.custom_gradient(lambda table: (tf.gather(table, ids), gradient))(table)
    return ops.cast(rows, layer.compute_dtype)
