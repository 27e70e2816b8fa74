"""Models that are built without memory, whose weights get it with the values that are assigned.

A model of ten billion parameters is described, counted and traced so in a second, without memory
for its weights; and one that is loaded never has random weights beside those of its file.
"""

import contextlib
import functools
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_roberta.checkpoints.tensor_view import aligned_empty, gives_away_memory
from keras_roberta.errors import InputError
from keras_roberta.training.keras_internals import (
    has_value,
    initialize,
)

_SMALL = 1 << 16  # bytes; below, a copy costs nothing
_PART = 1 << 20  # elements that are converted at a time


@contextlib.contextmanager
def valued_when_assigned(model: keras.Model) -> Iterator[None]:
    """A context in which the first assignment to a weight without a value makes its memory.

    At its end the weights that nothing was assigned to are initialised, as those that no file has:
    the states of dropout.

    Args:
        model: built within `variables_without_values`.
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


def check_values(model: keras.Model) -> None:
    """Raises an InputError if a model has weights without values, of which Keras would save what
    their initializers make anew."""
    empty = sum(not has_value(variable) for variable in model.variables)
    if empty:
        raise InputError(
            f"{type(model).__name__}: {empty} of its weights have no values (without_weights makes "
            "such a model), so it cannot be saved; load it with from_preset, or build it as usual"
        )


def _assign_first(variable: keras.Variable, value: Any) -> Any:
    del variable.assign
    if tuple(value.shape) != tuple(variable.shape):
        initialize(variable)
        return variable.assign(value)  # Keras says what is wrong
    tensor = _tensor_of(value, variable.dtype)
    initialize(variable, tensor)
    return tensor


def _tensor_of(value: Any, dtype: str) -> Any:
    """A value as a tensor, which takes over the memory of an array that was read for it, and
    copies those of others.

    Args:
        value: an array or a tensor.
    """
    if keras.backend.backend() != "tensorflow" or not _is_large_and_on_the_host(value):
        return keras.ops.convert_to_tensor(value, dtype)
    kept = np.dtype(dtype)
    if value.dtype == kept and value.flags.c_contiguous and gives_away_memory(value):
        return _sharing(value)
    array = aligned_empty(math.prod(value.shape), kept).reshape(value.shape)
    rows = max(1, _PART // max(1, math.prod(value.shape[1:])))
    with np.errstate(over="ignore"):  # `check_finite_variables` names such a weight
        for first in range(0, value.shape[0], rows):
            array[first : first + rows] = value[first : first + rows]
    return _sharing(array)


def _is_large_and_on_the_host(value: Any) -> bool:
    return isinstance(value, np.ndarray) and bool(value.shape) and value.nbytes > _SMALL


def _sharing(array: np.ndarray) -> Any:
    """A tensor of TensorFlow in the memory of an array, which nobody else writes to any more.

    `tf.convert_to_tensor` makes copies, two of which are there at once.
    """
    import tensorflow as tf

    if array.dtype.kind in "fiu":
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    bits = np.dtype(f"u{array.dtype.itemsize}")  # NumPy hands on no bfloat16
    return tf.bitcast(_sharing(array.view(bits)), array.dtype.name)
