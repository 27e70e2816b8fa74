"""Learning rate schedules."""

from typing import Any

import keras
from keras import ops

from keras_roberta.errors import InputError


@keras.saving.register_keras_serializable(package="keras_roberta")
class LinearWarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly from 0 to the peak, then falls linearly to 0.

    As in RoBERTa (Liu et al., 2019, table 10):

        rate(step) = peak * min(step / warmup_steps, (total - step) / (total - warmup_steps))

    where the first step counts as 1, so that its rate is not 0.

    Args:
        peak: the largest rate.
        total_steps: steps of the whole run. None: each call of a task's `fit` fills in its own
            number of steps. Until then the rate stays at the peak.
        warmup: steps of the warm-up, or its share of the run when below 1.

    Raises:
        InputError: the peak or the warm-up is negative.

    >>> schedule = LinearWarmupDecay(1.0, total_steps=10, warmup=2)
    >>> [round(float(schedule(step)), 3) for step in (0, 1, 2, 9)]
    [0.5, 1.0, 0.875, 0.0]
    """

    def __init__(self, peak: float, total_steps: int | None = None, warmup: float = 0.06):
        if peak < 0:
            raise InputError(f"learning rate must not be negative; got {peak}")
        if warmup < 0:
            raise InputError(f"warmup must not be negative; got {warmup}")
        self.peak = peak
        self.total_steps = total_steps
        self.warmup = warmup
        # [first step, total steps], 0 for an unknown total. A variable, so that the training step
        # is not compiled again when the plan changes.
        self._plan = keras.Variable([0.0, float(total_steps or 0)], trainable=False, name="plan")

    @property
    def follows_fit(self) -> bool:
        """Whether `fit` fills in the number of steps."""
        return self.total_steps is None

    def plan(self, first_step: int, total_steps: int | None) -> None:
        """Fits the schedule to a run.

        Args:
            first_step: the optimizer step at which the run begins.
            total_steps: optimizer steps of the run. None: the rate stays at the peak.
        """
        self._plan.assign([float(first_step), float(total_steps or 0)])

    def __call__(self, step: Any) -> Any:
        first, total = self._plan[0], self._plan[1]
        warmup = self.warmup * total if self.warmup < 1 else float(self.warmup)
        step = ops.cast(step, "float32") - first + 1.0
        rising = step / ops.maximum(warmup, 1.0)
        falling = (total - step) / ops.maximum(total - warmup, 1.0)
        share = ops.clip(ops.minimum(rising, falling), 0.0, 1.0)
        return self.peak * ops.where(total > 0, share, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "total_steps": self.total_steps, "warmup": self.warmup}


def warmup_and_decay(
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
    total_steps: int | None,
    warmup: float,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The `LinearWarmupDecay` whose peak is the given number; a given schedule stays as it is."""
    if isinstance(learning_rate, (int, float)):
        return LinearWarmupDecay(learning_rate, total_steps, warmup)
    return learning_rate
