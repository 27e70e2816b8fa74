"""Learning rate schedules."""

import keras
from keras import ops

from keras_roberta.errors import InputError


@keras.saving.register_keras_serializable(package="keras_roberta")
class LinearWarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear from 0 to the peak, then linear to 0 (RoBERTa, table 10).

        rate(step) = peak * min(step / warmup_steps, (total - step) / (total - warmup_steps))

    where the first step counts as 1, so that it moves the weights.

    Args:
        peak: the largest rate.
        total_steps: steps of the whole run. None: a task's `fit` fills in its own number of steps
            at each call; until then the rate stays at the peak.
        warmup: steps of the warm-up, or its share of the run when below 1.

    >>> schedule = LinearWarmupDecay(1.0, total_steps=10, warmup=2)
    >>> [round(float(schedule(step)), 3) for step in (0, 1, 2, 9)]
    [0.5, 1.0, 0.875, 0.0]
    """

    def __init__(self, peak, total_steps=None, warmup=0.06):
        if peak < 0:
            raise InputError(f"learning rate must not be negative; got {peak}")
        if warmup < 0:
            raise InputError(f"warmup must not be negative; got {warmup}")
        self.peak = peak
        self.total_steps = total_steps
        self.warmup = warmup
        self.follows_fit = total_steps is None
        self._first_step = 0

    def plan(self, first_step, steps_per_epoch, epochs):
        """Spreads the schedule over a run that begins at optimizer step `first_step`.

        Returns:
            True if the plan changed.
        """
        total = steps_per_epoch and steps_per_epoch * epochs
        changed = (first_step, total) != (self._first_step, self.total_steps)
        self._first_step, self.total_steps = first_step, total
        return changed

    def __call__(self, step):
        if self.total_steps is None:
            return ops.convert_to_tensor(self.peak, "float32")
        warmup = self.warmup * self.total_steps if self.warmup < 1 else self.warmup
        step = ops.cast(step, "float32") - self._first_step + 1.0
        rising = step / max(warmup, 1.0)
        falling = (self.total_steps - step) / max(self.total_steps - warmup, 1.0)
        return self.peak * ops.clip(ops.minimum(rising, falling), 0.0, 1.0)

    def get_config(self):
        total = None if self.follows_fit else self.total_steps
        return {"peak": self.peak, "total_steps": total, "warmup": self.warmup}
