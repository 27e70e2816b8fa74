"""Functions of tensors as XLA programs, which read and write memory once for several operations."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator

import keras

from keras_roberta.layers.tensor import Tensor

_WITHIN_ONE = contextvars.ContextVar("within one program", default=False)


@functools.cache
def compiled(function: Callable) -> Callable:
    """The same function, compiled by XLA on TensorFlow: one program for each shape.

    The function must not use variables. Then each replica of a `tf.distribute` strategy can run
    its own program. Inside a step that is compiled as a whole, the function becomes part of that
    program. On other backends the function is returned as it is.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)


def worth_compiling(x: Tensor) -> bool:
    """Whether it is worth compiling a program for arrays of the shape of `x`.

    Compiling takes a tenth of a second for each shape. That is worth it where the shape is fixed
    when the step is traced, as in pre-training. Batches of texts have many shapes, so there it is
    not. Inside a step that is compiled as a whole it always is.
    """
    return None not in x.shape or _WITHIN_ONE.get()


@contextlib.contextmanager
def one_program() -> Iterator[None]:
    """Marks that what is traced inside, forward and backward, becomes one XLA program.

    Inside, `worth_compiling` is True for every shape.
    """
    token = _WITHIN_ONE.set(True)
    try:
        yield
    finally:
        _WITHIN_ONE.reset(token)
