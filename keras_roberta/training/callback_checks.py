"""Checks of the callbacks that `fit` is given, before the first step."""

import importlib.util
from typing import Any

import keras

from keras_roberta.errors import InputError
from keras_roberta.training.keras_internals import inner_optimizer, learning_rate_schedule

_SETTING_THE_RATE = keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau


def check_tensorboard(callbacks: Any) -> None:
    """Raises where Keras's `TensorBoard` is asked for without the package that it writes with.

    Args:
        callbacks: as `fit` takes them.

    Raises:
        InputError: says what to install.
    """
    found = getattr(callbacks, "callbacks", callbacks) or ()
    found = found if isinstance(found, (list, tuple)) else [found]
    asked = any(isinstance(one, keras.callbacks.TensorBoard) for one in found)
    if asked and importlib.util.find_spec("tensorboard") is None:
        raise InputError(
            "callbacks: TensorBoard needs the package tensorboard; install it with pip install "
            '"keras-roberta[tensorboard]"'
        )


def check_rate_can_be_set(optimizer: keras.optimizers.Optimizer, callbacks: Any) -> None:
    """Raises an InputError if a callback sets the learning rate of an optimizer that refuses it.

    Keras's optimizers with a schedule do; some callbacks would find that out only after hours.

    Args:
        optimizer: of the model.
        callbacks: as `keras.Model.fit` takes them.
    """
    schedule = learning_rate_schedule(optimizer)
    settable = getattr(inner_optimizer(optimizer), "rate_replaces_schedule", False)
    if settable or not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return
    for callback in keras.tree.flatten(getattr(callbacks, "callbacks", callbacks)):
        if isinstance(callback, _SETTING_THE_RATE):
            raise InputError(
                f"{type(callback).__name__} sets the learning rate, but "
                f"{type(inner_optimizer(optimizer)).__name__} has a schedule, "
                f"{type(schedule).__name__}; give the optimizer a number, or RobertaAdamW"
            )
