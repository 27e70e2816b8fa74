"""Dropout in one pass over memory: masks are computed from a seed where they are used."""

import keras
import numpy as np
from keras import ops

from keras_roberta.errors import InputError
from keras_roberta.layers.compiled import compiled, worth_compiling
from keras_roberta.layers.tensor import Tensor


def dropout(x: Tensor, rate: float, seed: Tensor, residual: Tensor | None = None) -> Tensor:
    """Sets a share of the values to 0 and scales the others up.

    See Srivastava et al. (2014, section 4).

    Where compiling is worth it (`worth_compiling`), the mask is a hash of the seed and of each
    value's place. The backward pass computes the same mask again, so it is never stored, and it is
    the same on TensorFlow and JAX. The usual random numbers would have to be written and read, and
    XLA's take a hundred times as long on a CPU.

    Elsewhere the mask is drawn by `keras.random.dropout`. So it is on PyTorch, which has no
    unsigned 32-bit arithmetic.

    Args:
        x: float, of any shape.
        rate: the share to set to 0, in (0, 1).
        seed: integer (2,), as `keras.random.SeedGenerator.next` gives.
        residual: optional float tensor of the same shape, which is added to the result.

    Returns:
        float, of the shape and dtype of `x`
    """
    if not worth_compiling(x) or keras.backend.backend() == "torch":
        y = keras.random.dropout(x, rate, seed=_DrawnSeed(seed))
        return y if residual is None else residual + y
    masked = compiled(_masked)

    # The seed is an argument: within `keras.remat`, JAX does not allow a function with its own
    # gradient to use tensors from outside.
    @ops.custom_gradient
    def drop(seed, *inputs):
        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            return None, *(masked(upstream, rate, seed), upstream)[: len(inputs)]

        return masked(inputs[0], rate, seed, *inputs[1:]), gradient

    return drop(seed, x) if residual is None else drop(seed, x, residual)


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaDropout(keras.layers.Dropout):
    """`keras.layers.Dropout`, computed by the function `dropout` of this module.

    Args:
        rate: the share to set to 0, in [0, 1).
        seed: as in Keras.

    Call arguments:
        inputs: float, of any shape.
        residual: optional float tensor of the same shape, added to the result.

    Raises:
        InputError: the rate is not in [0, 1).
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        if not 0 <= rate < 1:
            raise InputError(f"dropout must be in [0, 1); got {rate!r}")
        super().__init__(rate, seed=seed, **kwargs)

    def call(
        self, inputs: Tensor, residual: Tensor | None = None, training: bool = False
    ) -> Tensor:
        if training and self.rate > 0:
            return dropout(inputs, self.rate, self.seed_generator.next(), residual)
        return inputs if residual is None else residual + inputs

    def get_config(self):
        config = super().get_config()
        del config["noise_shape"]  # not supported: the mask has the shape of the inputs
        return config


class _DrawnSeed(keras.random.SeedGenerator):
    """A seed generator that always gives the seed which was drawn before."""

    _initial_seed = 0  # PyTorch's dropout would draw from a seed of its own without one

    def __init__(self, seed):
        self.seed = seed

    def next(self, ordered=True):
        return self.seed


def _masked(x, rate, seed, residual=None):
    kept = _bits(ops.size(x), seed) >= ops.convert_to_tensor(np.uint32(rate * 2**32))
    scaled = x * ops.cast(1.0 / (1.0 - rate), x.dtype)
    y = ops.where(ops.reshape(kept, ops.shape(x)), scaled, ops.zeros_like(x))
    return y if residual is None else residual + y


def _bits(count, seed):
    """uint32 (count,), pseudo-random: a hash of 0, 1, 2, … with two keys made from the seed.

    The first multipliers and shifts are those of "lowbias32" (Wellons, 2018, "Prospecting for Hash
    Functions"). The second key is added in the middle, and one more round follows. Without these,
    two seeds whose first keys differ only in low bits would give nearly the same numbers, in
    another order.
    """
    first, second = _keys(seed)
    x = ops.cast(ops.arange(count, dtype="int32"), "uint32")
    x = _folded(x ^ first, 16) * _uint32(0x7FEB352D)
    x = (_folded(x, 15) + second) * _uint32(0x846CA68B)
    return _folded(_folded(x, 16) * _uint32(0x9E3779B1), 15)


def _keys(seed):
    first, second = (ops.cast(seed[i], "uint32") for i in (0, 1))
    first = _mixed(first ^ _mixed(second ^ _uint32(0x9E3779B9)))
    return first, _mixed(first ^ _uint32(0x85EBCA6B))


def _mixed(x):
    x = _folded(x, 16) * _uint32(0x7FEB352D)
    x = _folded(x, 15) * _uint32(0x846CA68B)
    return _folded(x, 16)


def _folded(x, bits):
    return x ^ ops.right_shift(x, _uint32(bits))


def _uint32(number):
    return ops.convert_to_tensor(np.uint32(number))
