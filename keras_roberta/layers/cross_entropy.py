"""Cross-entropy over a vocabulary in few passes over memory."""

import keras
from keras import ops

from keras_roberta.layers.compiled import compiled, worth_compiling


def cross_entropy(labels, logits):
    """-log softmax(logits) at the labels.

    The logits are the largest array of a step. TensorFlow's operation writes its gradient beside
    the loss and scales it later. Where a program is worth compiling, this one reads the
    logits twice for the loss, and once more for a gradient that is right as it is written. Other
    backends have Keras's.

    Args:
        labels: int (...)
        logits: float32 (..., vocabulary_size)

    Returns:
        float32 (...); for a label outside the vocabulary NaN, or an error where Keras has one.
    """
    labels = ops.cast(labels, "int32")
    if keras.backend.backend() != "tensorflow" or not worth_compiling(logits):
        return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    forward, backward = compiled(_losses), compiled(_gradient)

    @ops.custom_gradient
    def losses(logits):
        values, normalizers = forward(labels, logits)

        def gradient(upstream):
            return backward(labels, logits, normalizers, upstream)

        return values, gradient

    return losses(logits)


@keras.saving.register_keras_serializable(package="keras_roberta")
class VocabularyCrossEntropy(keras.losses.Loss):
    """`keras.losses.SparseCategoricalCrossentropy(from_logits=True)` by `cross_entropy`."""

    def call(self, y_true, y_pred):
        if len(y_true.shape) == len(y_pred.shape):  # (..., 1), which Keras takes too
            y_true = ops.squeeze(y_true, axis=-1)
        return cross_entropy(y_true, y_pred)


def _losses(labels, logits):
    """The losses, and the logarithms of what the softmax divides by."""
    largest = ops.max(logits, axis=-1, keepdims=True)
    total = ops.sum(ops.exp(logits - largest), axis=-1)
    normalizers = ops.log(total) + ops.squeeze(largest, axis=-1)
    known = ops.logical_and(labels >= 0, labels < logits.shape[-1])
    of_labels = ops.take_along_axis(logits, ops.where(known, labels, 0)[..., None], axis=-1)
    losses = normalizers - ops.squeeze(of_labels, axis=-1)
    return ops.where(known, losses, float("nan")), normalizers


def _gradient(labels, logits, normalizers, upstream):
    probabilities = ops.exp(logits - normalizers[..., None])
    true = ops.cast(ops.arange(logits.shape[-1]) == labels[..., None], logits.dtype)
    return (probabilities - true) * upstream[..., None]
