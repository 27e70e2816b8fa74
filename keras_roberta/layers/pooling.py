"""One vector for a whole text, out of the vectors of its tokens."""

import keras
from keras import ops

from keras_roberta.layers.tensor import Tensor

POOLINGS = ("cls", "mean")
_SMALLEST = 1e-24  # of a squared length: the vector of zeros stays one


@keras.saving.register_keras_serializable(package="keras_roberta")
class TextPooling(keras.layers.Layer):
    """The vector of `<s>`, or the mean over the tokens (Reimers & Gurevych, 2019, section 3).

    Args:
        pooling: "cls" for the first token, "mean" for all tokens but padding.
        normalize: whether vectors are scaled to the length 1.

    Call arguments:
        hidden: float (batch, tokens, hidden_dim), the encoder's output; for "cls" with `<s>` first.
        padding_mask: int (batch, tokens), 1 for tokens; not read for "cls".

    Returns:
        float32 (batch, hidden_dim), whatever the compute dtype
    """

    def __init__(self, pooling: str = "mean", normalize: bool = True, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.pooling, self.normalize = pooling, normalize

    def build(self, hidden_shape, padding_mask_shape=None):
        """There are no weights."""

    def call(self, hidden: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        if self.pooling == "cls":
            vectors = ops.cast(hidden[:, 0, :], "float32")
        else:
            weights = ops.cast(padding_mask, "float32")[..., None]  # (batch, tokens, 1)
            # A row of padding alone has no token: the mean of none is a vector of zeros.
            count = ops.maximum(ops.sum(weights, axis=1), 1.0)
            vectors = ops.sum(ops.cast(hidden, "float32") * weights, axis=1) / count
        return unit_vectors(vectors) if self.normalize else vectors

    def compute_output_shape(self, hidden_shape, padding_mask_shape=None):
        return hidden_shape[0], hidden_shape[-1]

    def get_config(self):
        return {**super().get_config(), "pooling": self.pooling, "normalize": self.normalize}


def unit_vectors(vectors: Tensor) -> Tensor:
    """Vectors (..., size) scaled to the length 1; one of zeros stays as it is."""
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squares, _SMALLEST))
