"""What Keras's losses of classes expect: numbers or probabilities as targets, logits as outputs."""

import logging
from typing import Any

import keras
import numpy as np

from keras_roberta.errors import InputError

logger = logging.getLogger("keras_roberta")

_OF_NUMBERS = ("sparse", "generalizedcrossentropy")


def on_logits(loss: Any) -> Any:
    """A loss by Keras's name, or Keras's function of it, that reads the outputs as logits, where it
    can; any other as it is. Also one in a list or dict.

    Keras's names stand for losses that read probabilities.
    """
    if isinstance(loss, (list, tuple, dict)):
        return keras.tree.map_structure(on_logits, loss)
    if isinstance(loss, keras.losses.Loss):
        return loss
    cls = _classes_by_name().get(_keras_name(loss))
    if cls is None or "from_logits" not in cls.__init__.__code__.co_varnames:
        return loss
    return cls(from_logits=True)


def warn_of_misread_outputs(loss: Any, outputs_are_logits: bool) -> None:
    """A warning if one of Keras's losses takes logits for probabilities, or the other way round."""
    for one in keras.tree.flatten(loss):
        if isinstance(one, keras.losses.Loss) and is_of_keras(one):
            reads_logits = one.get_config().get("from_logits", outputs_are_logits)
            if bool(reads_logits) != outputs_are_logits:
                logger.warning(
                    "%s(from_logits=%s) reads the task's outputs as %s, but they are %s; give it "
                    "from_logits=%s",
                    type(one).__name__,
                    reads_logits,
                    *(("logits", "probabilities") if reads_logits else ("probabilities", "logits")),
                    outputs_are_logits,
                )


def is_cross_entropy(loss: Any) -> bool:
    """Whether it is Keras's name for the cross-entropy that fits the labels."""
    return isinstance(loss, str) and loss.lower() in ("crossentropy", "ce")


def is_of_keras(loss: Any) -> bool:
    """Whether a loss is one of Keras's own, given by name, function or object, so that it is known
    what targets it takes."""
    return _keras_name(loss) in _classes_by_name()


def takes_class_numbers(loss: Any) -> bool | None:
    """Whether a loss takes one class number a row; False for one probability a class, None for a
    loss that is not Keras's own."""
    if isinstance(loss, (list, tuple, dict)) and len(loss) == 1:
        (loss,) = keras.tree.flatten(loss)
    return any(part in _keras_name(loss) for part in _OF_NUMBERS) if is_of_keras(loss) else None


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


def _keras_name(loss):
    """The name of a loss without underscores; None where it is not Keras's."""
    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError:
            return None
    named = loss if hasattr(loss, "__name__") else type(loss)
    return _plain(named.__name__) if named.__module__.startswith("keras.") else None


def _classes_by_name():
    classes = vars(keras.losses).values()
    return {
        _plain(cls.__name__): cls
        for cls in classes
        if isinstance(cls, type) and issubclass(cls, keras.losses.Loss)
    }


def _plain(name):
    return name.replace("_", "").lower()
