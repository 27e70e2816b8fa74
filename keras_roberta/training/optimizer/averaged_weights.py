"""The moving averages of a model's weights in their place, for as long as it is measured."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_roberta.training.fit_changes import FitChange
from keras_roberta.training.keras_internals import (
    built_variables,
    inner_optimizer,
    moving_averages,
)
from keras_roberta.training.optimizer.skipped_steps import skipped_steps
from keras_roberta.training.workers.fit_workers import FitWorkers


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """A context in which a model has the moving averages of its weights.

    Afterwards it has the weights themselves again, to the last bit, which Keras's `SwapEMAWeights`
    rounds.

    Args:
        model: compiled with an optimizer that has `use_ema`; with any other, or before its first
            step, nothing is done.
    """
    optimizer = inner_optimizer(model.optimizer)
    pairs = []
    steps = int(keras.ops.convert_to_numpy(optimizer.iterations))
    if optimizer.use_ema and steps > skipped_steps(optimizer):
        pairs = list(zip(built_variables(optimizer), moving_averages(optimizer), strict=True))
    with FitWorkers(model).scope():
        trained = [variable.value + 0 for variable, _ in pairs]
        for variable, average in pairs:
            variable.assign(average.value)
    try:
        yield
    finally:
        with FitWorkers(model).scope():
            for (variable, _), value in zip(pairs, trained, strict=True):
                variable.assign(value)


class ValidateAverages(FitChange):
    """Lets `fit` validate a model with the moving averages of its weights (`use_ema`).

    The model has the averages only while it is validated. Callbacks that keep weights, such as
    `EarlyStopping(restore_best_weights=True)` and `ModelCheckpoint`, keep the weights themselves.
    """

    def __init__(self):
        super().__init__()
        self._testing = contextlib.ExitStack()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._testing.enter_context(averaged_weights(self.model))

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self.undo()

    def undo(self) -> None:
        self._testing.close()
