"""Saves a run after each epoch but the last."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_roberta.training.keras_internals import inner_optimizer
from keras_roberta.training.runs.run_states import RunStates


class SaveEpochs(keras.callbacks.Callback):
    """Saves the state after each epoch that another one follows.

    Args:
        states: where to save.
        values: function that gives more values to save, as JSON has them.
        tensors: function that gives more arrays to save, by name.
        before: called before the first state is written.
    """

    def __init__(
        self,
        states: RunStates,
        values: Callable[[], dict[str, Any]],
        tensors: Callable[[], dict[str, np.ndarray]],
        before: Callable[[], None],
    ):
        super().__init__()
        self._states, self._values, self._tensors, self._before = states, values, tensors, before

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch + 1 == self.params["epochs"] or self.model.stop_training:
            return
        self._before()
        steps = int(keras.ops.convert_to_numpy(inner_optimizer(self.model.optimizer).iterations))
        self._states.save(self.model, steps, tensors=self._tensors(), **self._values())
