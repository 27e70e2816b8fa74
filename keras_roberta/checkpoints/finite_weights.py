"""Weights that are not finite numbers: a model that has one answers NaN to everything."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_roberta.checkpoints.variable_arrays import array_of
from keras_roberta.errors import InputError


def check_finite(name: str, array: np.ndarray) -> None:
    """Raises an InputError if a weight is NaN or infinite somewhere.

    Args:
        name: for the message.
        array: of floating-point numbers, in any shape.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.sum(array)):  # much faster; finite only if all are
            return
    finite = np.isfinite(array)
    if not finite.all():
        place = tuple(map(int, np.argwhere(~finite)[0]))
        reason = "the run that made them diverged, or the file is damaged"
        if array.dtype == np.float16 and np.isinf(array[place]):
            reason = f"if they are too large for float16, open the model in bfloat16; else {reason}"
        raise InputError(
            f"{name:.200}: {np.size(array) - int(finite.sum())} of its numbers are not finite, the "
            f"first, {array[place]}, at {list(place)}; {reason}"
        )


def check_finite_variables(variables: Iterable[Any]) -> None:
    """The same for the variables of a model, of which those of whole numbers are passed over."""
    for variable in variables:
        if "float" in str(variable.dtype):
            check_finite(f"weight {variable.path}", array_of(variable))
