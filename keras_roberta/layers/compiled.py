"""Functions of tensors as XLA programs: few passes over memory in place of one an operation."""

import contextlib
import contextvars
import functools

import keras

_WITHIN_ONE = contextvars.ContextVar("within one program", default=False)


@functools.cache
def compiled(function):
    """The same function as one XLA program for each shape, with its gradient; in TensorFlow.

    The program holds no variable, so that each replica of a `tf.distribute` strategy runs its own;
    within a step that is compiled it is a part of that. Other backends compile whole steps alone.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)


def worth_compiling(x):
    """Whether a program of its own is worth compiling for a large array `x`.

    Compiling takes a tenth of a second for each shape. That is worth it where the shape is known
    when the step is traced, as in pre-training; batches of texts have many. Within a step that is
    compiled as a whole it always is.
    """
    return None not in x.shape or _WITHIN_ONE.get()


@contextlib.contextmanager
def one_program():
    """Within, all that is traced, forward and backward, becomes one program."""
    token = _WITHIN_ONE.set(True)
    try:
        yield
    finally:
        _WITHIN_ONE.reset(token)
