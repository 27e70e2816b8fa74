"""Exact GELU with a gradient in few passes over memory."""

import math

import keras
from keras import ops

from keras_roberta.layers.compiled import compiled, worth_compiling


def gelu(x, training=False):
    """x P(X <= x) for a standard normal X (Hendrycks and Gimpel, 2016, section 2).

    Its derivative is P(X <= x) + x p(x). Automatic differentiation of the formula writes three
    times as many arrays as wide as the feed-forward layer, which memory makes slow on a CPU. In
    training both passes are XLA programs where that is worth it, which go over memory once.

    Args:
        x: float, of any shape.
        training: whether a gradient will be taken; it can be in any case.

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
    # 1 + erf cancels where x is negative.
    wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
    below = 0.5 + 0.5 * ops.erf(wide * math.sqrt(0.5))
    return ops.cast(wide * below, x.dtype), ops.cast(below, x.dtype)


def _gradient(x, below, upstream):
    density = ops.exp(ops.square(x) * -0.5)
    return (density * x * math.sqrt(0.5 / math.pi) + below) * upstream
