"""Exact GELU, with a gradient that reads and writes memory as little as possible."""

import math

import keras
from keras import ops

from keras_roberta.layers.compiled import compiled, worth_compiling
from keras_roberta.layers.tensor import Tensor


def gelu(x: Tensor, training: bool = False) -> Tensor:
    """x P(X <= x) for a standard normal X (Hendrycks and Gimpel, 2016, section 2).

    Its derivative, P(X <= x) + x p(x), is written out here. Automatic differentiation would write
    three times as many arrays of the width of the feed-forward layer, which is slow on a CPU. In
    training both passes are compiled by XLA where that is worth it (`worth_compiling`).

    Args:
        x: float, of any shape.
        training: whether to compile. A gradient can be taken in any case.

    Returns:
        float, of the same shape.
    """
    forward, backward = _gelu, _gradient
    if training and worth_compiling(x):
        forward, backward = compiled(forward), compiled(backward)

    @ops.custom_gradient
    def activate(x):
        y, below = forward(x)

        def gradient(*args, upstream=None):
            return backward(x, below, args[0] if upstream is None else upstream)

        return y, gradient

    return activate(x)


def _gelu(x):
    """x P(X <= x), and P(X <= x)."""
    # In float32, since 0.5 + 0.5 erf loses digits where x is negative.
    wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
    below = 0.5 + 0.5 * ops.erf(wide * math.sqrt(0.5))
    return ops.cast(wide * below, x.dtype), ops.cast(below, x.dtype)


def _gradient(x, below, upstream):
    density = ops.exp(ops.square(x) * -0.5)
    return (density * x * math.sqrt(0.5 / math.pi) + below) * upstream
