"""Activations on a task's logits, and logits back from what they give."""

from typing import Any

import keras
import numpy as np

from keras_roberta.errors import InputError

_TINY = np.finfo("float32").tiny  # stands for a probability that is 0 in float32


def _log_odds(y):
    below = np.log(np.maximum(1 - y, _TINY))
    return np.log(np.maximum(y, _TINY)) - below


_LOGITS = {
    "linear": lambda y: y,
    "log_softmax": lambda y: y,
    "sigmoid": _log_odds,
    "softmax": lambda y: np.log(np.maximum(y, _TINY)),
}


def activation_name(activation: Any) -> str | None:
    """The name of an activation; None for logits as they are.

    Args:
        activation: a name, a function of `keras.activations`, or None.

    Raises:
        InputError: there is no way back from it to logits, which answers and exports need.
    """
    try:
        name = keras.activations.serialize(keras.activations.get(activation))
    except (AttributeError, TypeError, ValueError):  # it is not Keras's
        name = activation
    if not isinstance(name, str) or name not in _LOGITS:
        raise InputError(f"activation must be None or one of {', '.join(_LOGITS)}; got {name!r}")
    return None if name == "linear" else name


def logits_of(outputs: np.ndarray, activation: str | None) -> np.ndarray:
    """The logits behind a task's outputs; of "softmax" those whose exponentials sum to 1.

    >>> logits_of(np.array([0.25, 0.75]), "sigmoid").round(4)
    array([-1.0986,  1.0986])
    """
    return _LOGITS[activation or "linear"](np.asarray(outputs))
