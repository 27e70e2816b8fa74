"""How far a run has come, in steps or in hours, and the learning rate that goes with it."""

import contextlib
import dataclasses
import time

import keras
from keras import ops

from keras_roberta.errors import InputError


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a run may use: steps, hours or both; it ends with the one that is used up first.

    A run by steps can be repeated exactly. One by hours ends in time on any machine, and its
    learning rate comes down in time too, since it follows the clock.

    >>> Budget(steps=100).progress(step=25, seconds=1e6)
    0.25
    >>> Budget(hours=1).progress(step=25, seconds=900)
    0.25
    """

    steps: int | None = None
    hours: float | None = None

    def __post_init__(self):
        if self.steps is None and self.hours is None:
            raise InputError("say how long to train: a number of steps or of hours")
        for name in ("steps", "hours"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name} must be positive; got {value}")

    def progress(self, step, seconds):
        """The share that is used up, in [0, 1], after `step` steps and so many seconds."""
        by_steps = step / self.steps if self.steps else 0.0
        by_time = seconds / (3600 * self.hours) if self.hours else 0.0
        return min(1.0, max(by_steps, by_time))


@keras.saving.register_keras_serializable(package="keras_roberta")
class BudgetSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear from 0 to the peak, then polynomially back to 0, over the progress of a run.

        rate = peak * min(progress / warmup, ((1 - progress) / (1 - warmup)) ** power)

    With a long warm-up, such as a quarter of the run, it is the one-cycle schedule of a fixed
    budget (Geiping & Goldstein, 2022, section 4.3); with a short one RoBERTa's.

    Args:
        peak: the largest rate.
        warmup: share of the run, in [0, 1).
        power: of the decay; 1 for a straight line.

    >>> schedule = BudgetSchedule(1.0, warmup=0.2)
    >>> def rate(progress):
    ...     schedule.progress.assign(progress)
    ...     return round(float(schedule(step=0)), 3)
    >>> rate(0.1), rate(0.2), rate(0.6), rate(1.0)
    (0.5, 1.0, 0.5, 0.0)
    """

    def __init__(self, peak, warmup=0.05, power=1.0):
        if not peak > 0:
            raise InputError(f"learning_rate must be positive; got {peak}")
        if not 0 <= warmup < 1:
            raise InputError(f"warmup is a share of the run, in [0, 1); got {warmup}")
        if not power > 0:
            raise InputError(f"decay_power must be positive; got {power}")
        self.peak, self.warmup, self.power = peak, warmup, power
        # A variable, so that the compiled step sees it move.
        self.progress = keras.Variable(0.0, trainable=False, name="progress")

    def __call__(self, step):
        progress = ops.cast(self.progress, "float32")
        rising = progress / self.warmup if self.warmup else 1.0
        falling = ops.power((1.0 - progress) / (1.0 - self.warmup), self.power)
        return self.peak * ops.clip(ops.minimum(rising, falling), 0.0, 1.0)

    def get_config(self):
        return {"peak": self.peak, "warmup": self.warmup, "power": self.power}


class RunClock(keras.callbacks.Callback):
    """Counts steps, seconds and tokens of a run, moves its schedule and ends `fit` in time.

    Args:
        budget: `Budget`
        schedule: the optimizer's `BudgetSchedule`.
        step, seconds, tokens: of the run before this process.
        agree: function of the seconds that this process has counted, giving those that all
            processes go by; called before the first step and after each.

    Attributes:
        seconds: at the last step's end.
        tokens_a_step: what a step adds to `tokens`.
        until: progress at which `fit` ends.
    """

    def __init__(self, budget, schedule, *, step=0, seconds=0.0, tokens=0, agree=float):
        super().__init__()
        self.budget, self.schedule = budget, schedule
        self.step, self.tokens = step, tokens
        self.tokens_a_step, self.until = 0, 1.0
        self.seconds, self.agree = seconds, agree
        self._started = time.monotonic() - seconds

    @property
    def progress(self):
        return self.budget.progress(self.step, self.seconds)

    @contextlib.contextmanager
    def stopped(self):
        """Time in this context is not the run's."""
        began = time.monotonic()
        yield
        self._started += time.monotonic() - began

    def on_train_begin(self, logs=None):
        self._look()

    def on_train_batch_begin(self, batch, logs=None):
        # The middle of the step: neither the first nor the last has a rate of 0.
        self.schedule.progress.assign(self.budget.progress(self.step + 0.5, self.seconds))

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        self.tokens += self.tokens_a_step
        self._look()
        if self.progress >= self.until:
            self.model.stop_training = True

    def _look(self):
        self.seconds = self.agree(time.monotonic() - self._started)
