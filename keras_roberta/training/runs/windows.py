"""Means over the last steps, reported as a run goes on."""

import keras
import numpy as np


class Windows(keras.callbacks.Callback):
    """Hands the means of every so many steps to reports, and starts them anew.

    Keras's own logs are means since the epoch began; a run of a million steps is one epoch.

    Args:
        every: steps of a window. Windows end at multiples of it.
        reports: functions of the step and a dict of means, called in turn; one may add to it.
        step: steps done before this call of `fit`.
    """

    def __init__(self, every, reports, step=0):
        super().__init__()
        self.every, self.reports, self.step = every, reports, step

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step % self.every:
            return
        means = {name: float(value) for name, value in (logs or {}).items()}
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        means["learning_rate"] = float(optimizer.learning_rate)
        # By way of an array: under a strategy a variable is several.
        means["skipped_steps"] = int(np.asarray(getattr(optimizer, "skipped_steps", 0)))
        for report in self.reports:
            report(self.step, means)
        self.model.reset_metrics()
