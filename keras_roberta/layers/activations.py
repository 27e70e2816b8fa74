"""The activations of feed-forward layers, by the names of `RobertaConfig.hidden_activation`."""

from keras import ops

from keras_roberta.layers.gelu import gelu
from keras_roberta.layers.tensor import Tensor


def activate(x: Tensor, name: str, training: bool = False) -> Tensor:
    """An activation of each number.

    Args:
        x: float, of any shape.
        name: one of `config.ACTIVATIONS`.
        training: see `gelu`, which has a gradient of its own.
    """
    if name == "gelu":
        return gelu(x, training=training)
    return _OTHERS[name](x)


_OTHERS = {
    "gelu_tanh": lambda x: ops.gelu(x, approximate=True),
    "quick_gelu": lambda x: x * ops.sigmoid(1.702 * x),
    "relu": ops.relu,
    "silu": ops.silu,
}
