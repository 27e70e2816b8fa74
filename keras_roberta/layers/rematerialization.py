"""Gradient checkpointing: a layer's inner values are made again in the backward pass."""

import keras
from keras import ops


def rematerialized(layer, x, *args, **kwargs):
    """`layer(x, *args, **kwargs)`, of which only `x` is kept for the backward pass (Chen et al.,
    2016, section 4).

    `keras.remat` alone would draw other dropout masks the second time, and in a
    `keras.StatelessScope` lose the gradients of the weights. It gets a function of tensors here:
    the weights are arguments, and the seeds constants.

    Args:
        layer: built; its call gives one tensor.
        x: float tensor. The other arguments get no gradient.

    Returns:
        what the layer gives. Its seeds move on as in a plain call.
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
