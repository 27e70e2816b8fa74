"""Between examples of several rows, as a question with its options, and the rows of an encoder."""

import keras
from keras import ops

from keras_roberta.layers.tensor import Tensor


@keras.saving.register_keras_serializable(package="keras_roberta")
class RowsOfExamples(keras.layers.Layer):
    """The rows of all examples, one after the other.

    Call arguments:
        x: int (examples, rows, length)

    Returns:
        int (examples * rows, length)
    """

    def call(self, x: Tensor) -> Tensor:
        examples, rows, length = ops.shape(x)
        return ops.reshape(x, (examples * rows, length))

    def compute_output_spec(self, x):
        return keras.KerasTensor((None, x.shape[2]), x.dtype)


@keras.saving.register_keras_serializable(package="keras_roberta")
class OptionScores(keras.layers.Layer):
    """Scores of rows as a row for each example.

    Args:
        missing: the score of a row that is not there, since it has no token.

    Call arguments:
        scores: float32 (examples * rows, 1)
        padding_mask: int (examples, rows, length), 1 for tokens.

    Returns:
        float32 (examples, rows)
    """

    def __init__(self, missing: float, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.missing = missing

    def call(self, scores: Tensor, padding_mask: Tensor) -> Tensor:
        there = ops.max(padding_mask, axis=2) > 0  # (examples, rows)
        return ops.where(there, ops.reshape(scores, ops.shape(there)), self.missing)

    def compute_output_spec(self, scores, padding_mask):
        return keras.KerasTensor(padding_mask.shape[:2], "float32")

    def get_config(self):
        return {**super().get_config(), "missing": self.missing}
