"""The product with the token embedding, which is the largest one of a small model."""

import keras
from keras import ops

from keras_roberta.layers.tensor import Tensor


def project_onto_vocabulary(x: Tensor, table: Tensor, bias: Tensor) -> Tensor:
    """x table^T + bias. On TensorFlow the backward pass runs its two products one after the other.

    TensorFlow would run them at the same time. They would then share the processor's cache, and
    take longer than one after the other (docs/decisions/012-vocabulary-products.md).

    Args:
        x: float (..., hidden_dim)
        table: float (vocabulary_size, hidden_dim), of the same type.
        bias: float32 (vocabulary_size,)

    Returns:
        float32 (..., vocabulary_size)
    """
    if keras.backend.backend() != "tensorflow":
        return ops.cast(ops.matmul(x, ops.transpose(table)), "float32") + bias
    import tensorflow as tf

    vocabulary_size, hidden_dim = ops.shape(table)

    @ops.custom_gradient
    def project(x, table, bias):
        rows = ops.reshape(x, (-1, hidden_dim))
        logits = ops.matmul(rows, ops.transpose(table))
        logits = ops.reshape(logits, (*ops.shape(x)[:-1], vocabulary_size))

        def gradient(upstream):
            d_logits = ops.reshape(upstream, (-1, vocabulary_size))
            d_bias = ops.sum(d_logits, axis=0)
            d_logits = ops.cast(d_logits, x.dtype)
            d_x = ops.matmul(d_logits, table)
            with tf.control_dependencies([d_x]):
                next_rows = tf.identity(rows)
            d_table = ops.matmul(ops.transpose(d_logits), next_rows)
            return ops.reshape(d_x, ops.shape(x)), d_table, d_bias

        return ops.cast(logits, "float32") + bias, gradient

    return project(x, table, bias)
