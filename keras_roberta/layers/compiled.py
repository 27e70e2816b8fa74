"""Functions of tensors as XLA programs of their own, in a step that is not compiled."""

import functools

import keras


@functools.cache
def compiled(function):
    """The same function as one XLA program for each shape, with its gradient; in TensorFlow.

    Few passes over memory take the place of one for each operation. The program holds no variable,
    so that each replica of a `tf.distribute` strategy runs its own; within a step that is
    compiled it is a part of that. Other backends compile whole steps alone.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)
