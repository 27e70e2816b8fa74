"""Cross-entropy over a vocabulary in few passes over memory."""

import keras
from keras import ops

from keras_roberta.layers.compiled import compiled, pays


def cross_entropy(labels, logits):
    """-log softmax(logits) at the labels.

    The logits are the largest array of a step. TensorFlow's operation writes its gradient beside
    the loss and scales it later. Where a program pays, this one reads the logits twice for the
    loss, and once more for a gradient that is right as it is written.

    Args:
        labels: int (...)
        logits: float32 (..., vocabulary_size)

    Returns:
        float32 (...)
    """
    labels = ops.cast(labels, "int32")
    if not pays(logits):
        return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    forward, backward = compiled(_losses), compiled(_gradient)

    @ops.custom_gradient
    def losses(logits):
        values, normalizers = forward(labels, logits)

        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            return backward(labels, logits, normalizers, upstream)

        return values, gradient

    return losses(logits)


@keras.saving.register_keras_serializable(package="keras_roberta")
class VocabularyCrossEntropy(keras.losses.Loss):
    """`keras.losses.SparseCategoricalCrossentropy(from_logits=True)` by `cross_entropy`."""

    def call(self, y_true, y_pred):
        return cross_entropy(y_true, y_pred)


def _losses(labels, logits):
    """The losses, and the logarithms of what the softmax divides by."""
    largest = ops.max(logits, axis=-1, keepdims=True)
    total = ops.sum(ops.exp(logits - largest), axis=-1)
    normalizers = ops.log(total) + largest[..., 0]
    return normalizers - ops.take_along_axis(logits, labels[..., None], axis=-1)[
        ..., 0
    ], normalizers


def _gradient(labels, logits, normalizers, upstream):
    probabilities = ops.exp(logits - normalizers[..., None])
    true = ops.cast(ops.arange(logits.shape[-1]) == labels[..., None], logits.dtype)
    return (probabilities - true) * upstream[..., None]
