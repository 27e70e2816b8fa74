"""What Keras's losses of classes expect: numbers or probabilities as targets, logits as outputs."""

from typing import Any

import keras
import numpy as np

from keras_roberta.errors import InputError

_OF_NUMBERS = ("sparse", "generalizedcrossentropy")


def on_logits(loss: Any) -> Any:
    """A loss by Keras's name that reads the outputs as logits, where it can; any other as it is.

    Keras's names stand for losses that read probabilities.
    """
    if not isinstance(loss, str):
        return loss
    cls = _classes_by_name().get(_plain(loss))
    if cls is None or "from_logits" not in cls.__init__.__code__.co_varnames:
        return loss
    return cls(from_logits=True)


def takes_class_numbers(loss: Any) -> bool | None:
    """Whether a loss takes one class number a row; False for one probability a class, None for a
    loss that is not Keras's own."""
    if isinstance(loss, str):
        name = _plain(loss)
    else:
        named = loss if hasattr(loss, "__name__") else type(loss)
        name = _plain(named.__name__)
        if not named.__module__.startswith("keras."):
            return None
    if name not in _classes_by_name():
        return None
    return any(part in name for part in _OF_NUMBERS)


def class_targets(loss: Any, targets: np.ndarray, num_classes: int) -> np.ndarray:
    """Class numbers (rows,) or probabilities (rows, num_classes) as a loss takes them.

    Raises:
        InputError: it takes numbers, and some rows are of several classes.
    """
    numbers = takes_class_numbers(loss)
    if numbers is False and targets.ndim == 1:
        return np.eye(num_classes, dtype="float32")[targets]
    if numbers and targets.ndim == 2:
        if ((targets == 0) | (targets == 1)).all() and (targets.sum(axis=1) == 1).all():
            return targets.argmax(axis=1).astype("int32")
        raise InputError(
            "the labels are probabilities, for which the loss has to be another: "
            "compile(loss='categorical_crossentropy')"
        )
    return targets


def _classes_by_name():
    classes = vars(keras.losses).values()
    return {
        _plain(cls.__name__): cls
        for cls in classes
        if isinstance(cls, type) and issubclass(cls, keras.losses.Loss)
    }


def _plain(name):
    return name.replace("_", "").lower()
