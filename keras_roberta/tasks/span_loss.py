"""The loss of spans: where an answer begins and where it ends."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_roberta")
class SpanCrossEntropy(keras.losses.Loss):
    """The mean of two cross-entropies over the tokens of a row: of the first token of an answer,
    and of its last (`RobertaForQuestionAnswering`).

    Call arguments:
        y_true: int (batch, 2), the numbers of both tokens.
        y_pred: float logits (batch, length, 2)
    """

    def __init__(self, name="span_cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        logits = ops.cast(y_pred, "float32")
        places = ops.cast(y_true, "int32")[:, None, :]  # (batch, 1, 2)
        chosen = ops.take_along_axis(logits, places, axis=1)[:, 0]  # (batch, 2)
        return ops.mean(ops.logsumexp(logits, axis=1) - chosen, axis=-1)  # (batch,)


def span_accuracy(y_true, y_pred):
    """Whether the likeliest first and last tokens are both the right ones, float (batch,)."""
    y_true = ops.cast(y_true, "int32")
    first, last = (ops.argmax(y_pred[:, :, side], axis=-1) == y_true[:, side] for side in (0, 1))
    return ops.cast(ops.logical_and(first, last), "float32")


@keras.saving.register_keras_serializable(package="keras_roberta")
class SpanAccuracy(keras.metrics.MeanMetricWrapper):
    """The share of rows for which `span_accuracy` is 1."""

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(span_accuracy, name=name, dtype=dtype)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}
