"""Gradient checkpointing: values inside a layer are computed again in the backward pass."""

import keras
from keras import ops

from keras_roberta.layers.tensor import Tensor


def rematerialized(layer: keras.layers.Layer, x: Tensor, *args, **kwargs) -> Tensor:
    """`layer(x, *args, **kwargs)`, keeping only `x` for the backward pass (Chen et al., 2016,
    section 4).

    `keras.remat` alone would draw other dropout masks the second time, and would lose the
    gradients of the weights within a `keras.StatelessScope`. So it is given a function of tensors:
    the weights are its arguments and the seeds are constants.

    Args:
        layer: a layer that is built and returns one tensor.
        x: float tensor.
        *args, **kwargs: passed on; no gradient is computed for them.

    Returns:
        The layer's output. Its dropout seeds advance as in an ordinary call.
    """
    weights = layer.trainable_variables
    seeds = [v for v in layer.non_trainable_variables if v.name == "seed_generator_state"]
    frozen = [v for v in layer.non_trainable_variables if v.name != "seed_generator_state"]
    drawn = [seed.value * 1 for seed in seeds]  # a copy, as in Keras's `next`
    constants = [*zip(seeds, drawn, strict=True), *((v, ops.convert_to_tensor(v)) for v in frozen)]

    def call(x, *values):
        scope = keras.StatelessScope([*zip(weights, values, strict=True), *constants])
        with scope:
            y = layer(x, *args, **kwargs)
        moved = [scope.get_current_value(v) - seed for v, seed in zip(seeds, drawn, strict=True)]
        # As floats: every output of what is differentiated has a gradient.
        return y, [ops.cast(steps, "float32") for steps in moved]

    y, moved = keras.remat(call)(x, *[ops.convert_to_tensor(v) for v in weights])
    for variable, seed, steps in zip(seeds, drawn, moved, strict=True):
        variable.assign(seed + ops.cast(steps, seed.dtype))
    return y
