"""Exact GELU with a gradient in few passes over memory."""

import math

from keras import ops

from keras_roberta.layers.compiled import compiled_if_it_pays


def gelu(x, training=False):
    """x P(X <= x) for a standard normal X (Hendrycks and Gimpel, 2016, section 2).

    Its derivative is P(X <= x) + x p(x). Automatic differentiation of the formula writes three
    times as many arrays as wide as the feed-forward layer, which memory makes slow on a CPU. In
    training both passes are XLA programs, where that pays, which read once, write once, and keep
    `x` alone.

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
        def gradient(*args, upstream=None):
            return program(_gradient)(x, args[0] if upstream is None else upstream)

        return program(_gelu)(x), gradient

    return activate(x)


def _gelu(x):
    wide = ops.cast(x, "float32")  # 1 + erf cancels where x is negative
    return ops.cast(wide * _share_below(wide), x.dtype)


def _gradient(x, upstream):
    wide = ops.cast(x, "float32")
    density = ops.exp(ops.square(wide) * -0.5) * math.sqrt(0.5 / math.pi)
    return ops.cast((density * wide + _share_below(wide)) * ops.cast(upstream, "float32"), x.dtype)


def _share_below(x):
    return 0.5 + 0.5 * ops.erf(x * math.sqrt(0.5))
