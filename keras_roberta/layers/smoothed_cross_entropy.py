"""Cross-entropy with smoothed labels, of classes by number."""

from typing import Any

import keras
from keras import ops

from keras_roberta.layers.tensor import Tensor

# Logits below this stand for what cannot be chosen, such as options that a question does not have.
_NOT_THERE = -1e8


@keras.saving.register_keras_serializable(package="keras_roberta")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy of logits where a share of each target is spread evenly over all classes
    (Szegedy et al., 2016, "Rethinking the Inception Architecture", section 7).

    Keras's `CategoricalCrossentropy(label_smoothing=)` is the same for targets as probabilities.
    Classes with a logit of -1e9, which can never be the answer, get no share.

    Args:
        label_smoothing: the share, at least 0 and below 1.

    Call arguments:
        y_true: int (...) or (..., 1), numbers of classes.
        y_pred: float (..., classes), logits.
    """

    def __init__(self, label_smoothing: float, name: str = "smoothed_cross_entropy", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        if len(y_true.shape) == len(y_pred.shape):
            y_true = ops.squeeze(y_true, axis=-1)
        y_pred = ops.cast(y_pred, "float32")
        of_labels = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        there = ops.cast(y_pred > _NOT_THERE, "float32")
        of_all = -there * ops.log_softmax(y_pred, axis=-1)
        spread = ops.sum(of_all, axis=-1) / ops.maximum(ops.sum(there, axis=-1), 1.0)
        return (1 - self.label_smoothing) * of_labels + self.label_smoothing * spread

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
