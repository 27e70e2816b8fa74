"""Exact GELU with a gradient in few passes over memory."""

import math

from keras import ops

from keras_roberta.layers.compiled import compiled_if_it_pays


def gelu(x, training=False):
    """x P(X <= x) for a standard normal X (Hendrycks and Gimpel, 2016, section 2).

    Its derivative is P(X <= x) + x p(x). Automatic differentiation of the formula writes three
    times as many arrays as wide as the feed-forward layer, which memory makes slow on a CPU. In
    training both passes are XLA programs, where that pays, which read once and write once.

    Args:
        x: float, of any shape.
        training: whether a gradient will be taken; it can be in any case.

    Returns:
        float, of the same shape.
    """

    def program(function):
        return (training and compiled_if_it_pays(function, x)) or function

    @ops.custom_gradient
    def activate(x):
        y, below = program(_gelu)(x)

        def gradient(*args, upstream=None):
            return program(_gradient)(x, below, args[0] if upstream is None else upstream)

        return y, gradient

    return activate(x)


def _gelu(x):
    """x P(X <= x), and P(X <= x)."""
    wide = ops.cast(x, "float32")  # 1 + erf cancels where x is negative
    below = 0.5 + 0.5 * ops.erf(wide * math.sqrt(0.5))
    return ops.cast(wide * below, x.dtype), ops.cast(below, x.dtype)


def _gradient(x, below, upstream):
    density = ops.exp(ops.square(x) * -0.5)
    return (density * x * math.sqrt(0.5 / math.pi) + below) * upstream
