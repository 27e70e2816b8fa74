"""Means over windows of steps, reported during a run."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np


class Windows(keras.callbacks.Callback):
    """Passes the mean loss and metrics of each window of steps to reports.

    Keras's own logs are means since the start of the epoch, and a run of a million steps is one
    epoch. Here the metrics are reset after each window.

    Args:
        every: steps in a window. Windows end at multiples of it.
        reports: functions of the step and a dict of means by name, called in this order. A report
            may add values to the dict for the later ones.
        step: steps done before this call of `fit`.
    """

    def __init__(
        self,
        every: int,
        reports: Sequence[Callable[[int, dict[str, float]], None]],
        step: int = 0,
    ):
        super().__init__()
        self.every, self.reports, self.step = every, reports, step

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.step += 1
        if self.step % self.every:
            return
        means = {name: float(value) for name, value in (logs or {}).items()}
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        means["learning_rate"] = float(optimizer.learning_rate)
        # Through an array: under a strategy, one variable is several.
        means["skipped_steps"] = int(np.asarray(getattr(optimizer, "skipped_steps", 0)))
        for report in self.reports:
            report(self.step, means)
        self.model.reset_metrics()
