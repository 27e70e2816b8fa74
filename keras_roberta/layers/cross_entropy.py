"""Cross-entropy over a vocabulary that reads the logits as few times as possible."""

import keras
from keras import ops

from keras_roberta.layers.compiled import compiled, worth_compiling
from keras_roberta.layers.tensor import Tensor


def cross_entropy(labels: Tensor, logits: Tensor) -> Tensor:
    """-log softmax(logits) at the labels.

    The logits are the largest array of a training step, so reading and writing them decides the
    time. TensorFlow's operation writes the gradient together with the loss, and scales it in
    another pass. Here the logits are read twice for the loss and once for the gradient, where
    compiling that is worth it (`worth_compiling`). Elsewhere, and on other backends, Keras's
    operation is used.

    Args:
        labels: int (...)
        logits: float32 (..., vocabulary_size)

    Returns:
        float32 (...). A label outside the vocabulary gives NaN, or an error where Keras's
        operation is used and raises one.
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
    """`SparseCategoricalCrossentropy(from_logits=True)` of Keras, computed by `cross_entropy`."""

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        if len(y_true.shape) == len(y_pred.shape):  # (..., 1), which Keras takes too
            y_true = ops.squeeze(y_true, axis=-1)
        return cross_entropy(y_true, y_pred)


def _losses(labels, logits):
    """The losses, and the logarithm of the sum by which the softmax divides."""
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
