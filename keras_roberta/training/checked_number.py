"""Checks of the numbers that parts of a training are made with."""

import math
from typing import Any

from keras_roberta.errors import InputError


def checked_positive(name: str, value: Any, below: float = math.inf) -> float:
    """A number above 0 and below a bound.

    Raises:
        InputError: it is none; the message begins with the name.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < value < below:
        bound = "a positive number" if below == math.inf else f"above 0 and below {below:g}"
        raise InputError(f"{name} must be {bound}; got {value!r}")
    return float(value)
