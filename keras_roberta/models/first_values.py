"""Models that are built without memory, whose weights get it with the values that are assigned.

A model of ten billion parameters is described, counted and traced so in a second's memory; and one
that is loaded never has random weights beside those of its file.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_roberta.training.keras_internals import (
    has_value,
    initialize,
    variables_without_values,
)

_SMALL = 1 << 16  # bytes; below, a copy costs nothing

built_without_values = variables_without_values


@contextlib.contextmanager
def valued_when_assigned(model: keras.Model) -> Iterator[None]:
    """A context in which the first assignment to a weight without a value makes its memory.

    At its end the weights that nothing was assigned to are initialised, as those that no file has:
    the states of dropout.

    Args:
        model: built within `built_without_values`.
    """
    empty = [variable for variable in model.variables if not has_value(variable)]
    for variable in empty:
        variable.assign = functools.partial(_assign_first, variable)
    try:
        yield
    finally:
        for variable in empty:
            vars(variable).pop("assign", None)
    for variable in empty:
        if not has_value(variable):
            initialize(variable)


def _assign_first(variable: keras.Variable, value: Any) -> Any:
    del variable.assign
    if tuple(value.shape) != tuple(variable.shape):
        initialize(variable)
        return variable.assign(value)  # Keras says what is wrong
    tensor = _tensor_of(value, variable.dtype)
    initialize(variable, tensor)
    return tensor


def _tensor_of(value: Any, dtype: str) -> Any:
    """A value as a tensor, which takes over the memory of an array where it can."""
    if keras.backend.backend() == "tensorflow" and isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value, np.dtype(dtype))
        if value.nbytes > _SMALL and value.dtype.kind in "fiu":
            return _sharing(value)
    return keras.ops.convert_to_tensor(value, dtype)


def _sharing(array: np.ndarray) -> Any:
    """A tensor of TensorFlow in the memory of an array, which nobody else writes to any more.

    `tf.convert_to_tensor` makes copies, two of which are there at once.
    """
    import tensorflow as tf

    if array.ctypes.data % 64:  # where TensorFlow's kernels want a tensor to begin
        return tf.convert_to_tensor(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
