"""Means over windows of steps, reported during a run."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_roberta.training.keras_internals import inner_optimizer
from keras_roberta.training.optimizer.skipped_steps import skipped_steps


class Windows(keras.callbacks.Callback):
    """Passes the mean loss and metrics of each window of steps to reports.

    Keras's own logs are means since the start of the epoch, and a run of a million steps is one
    epoch. Here the metrics are reset after each window, and nowhere else: a window goes on in the
    next call of `fit`, also in another process.

    Args:
        every: steps in a window. Windows end at multiples of it.
        reports: functions of the step and a dict of means by name, called in this order. A report
            may add values to the dict for the later ones.
        step: steps done before this call of `fit`.
        sums: `sums()` of the process that has done these steps. The metrics must have their
            variables when `fit` starts; see `build_from_batch`.
    """

    def __init__(
        self,
        every: int,
        reports: Sequence[Callable[[int, dict[str, float]], None]],
        step: int = 0,
        sums: Sequence[float] = (),
    ):
        super().__init__()
        self.every, self.reports, self.step = every, reports, step
        self._sums = list(sums)

    def sums(self) -> list[float]:
        """What the metrics of this process hold of the window: their variables, on each replica."""
        return [float(part.numpy()) for part in self._metric_variables()]

    def _metric_variables(self):
        strategy = self.model.distribute_strategy
        return [
            part
            for variable in self.model.metrics_variables
            for part in strategy.experimental_local_results(variable.value)
        ]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        variables = self._metric_variables()
        if len(variables) == len(self._sums):  # else the run goes on with other workers
            for variable, value in zip(variables, self._sums, strict=True):
                variable.assign(value)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._sums = self.sums()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.step += 1
        if self.step % self.every:
            return
        means = {name: float(value) for name, value in (logs or {}).items()}
        means["learning_rate"] = float(inner_optimizer(self.model.optimizer).learning_rate)
        means["skipped_steps"] = skipped_steps(self.model.optimizer)
        for report in self.reports:
            report(self.step, means)
        self.model.reset_metrics()
