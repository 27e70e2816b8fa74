"""Callbacks that change a task while `fit` runs, and undo it however `fit` ends."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from keras_roberta.errors import InputError


class FitChange(keras.callbacks.Callback):
    """A callback that puts something into a task for the time of one `fit`.

    Keras calls `on_train_end` only where `fit` ends by itself, and not after an error or Ctrl-C.
    """

    def undo(self) -> None:
        """Takes out of the task what is still there; may be called more than once."""

    def state(self) -> dict[str, Any]:
        """What a `fit` that goes on with a later epoch needs besides the weights, as JSON."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes the state of another one before `fit` goes on."""


@contextlib.contextmanager
def changes_undone(callbacks: Any) -> Iterator[None]:
    """A context of one `fit`, after which nothing is left of the changes.

    Args:
        callbacks: as `keras.Model.fit` takes them.

    Raises:
        InputError: there are two `FitChange` among them.
    """
    found = keras.tree.flatten(getattr(callbacks, "callbacks", callbacks))
    changes = [one for one in found if isinstance(one, FitChange)]
    if len(changes) > 1:
        names = " and ".join(type(one).__name__ for one in changes)
        raise InputError(f"callbacks: {names} do not go together; call fit once for each")
    try:
        yield
    finally:
        for change in changes:
            change.undo()
