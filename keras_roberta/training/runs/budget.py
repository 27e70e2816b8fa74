"""The progress of a run, in steps, tokens or hours, and the learning rate that follows it."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from keras_roberta.errors import InputError


@dataclasses.dataclass(frozen=True)
class Budget:
    """The length of a run, in steps, tokens, hours or several of them.

    With several, the run ends when the first of them is used up. A run with a number of steps or
    tokens can be repeated exactly. A run with a number of hours ends on time on any machine. Its
    learning rate follows the clock, so it is down at the end, too.

    Attributes:
        steps: training steps, or None.
        hours: hours of training, or None.
        tokens: tokens to see, or None; the step in which they are reached is the last.

    Raises:
        InputError: neither is given, or one is not positive.

    >>> Budget(steps=100).progress(step=25, seconds=1e6)
    0.25
    >>> Budget(hours=1).progress(step=25, seconds=900)
    0.25
    >>> Budget(tokens=1000).progress(step=25, seconds=900, tokens=500)
    0.5
    """

    steps: int | None = None
    hours: float | None = None
    tokens: int | None = None

    def __post_init__(self):
        if self.steps is None and self.hours is None and self.tokens is None:
            raise InputError("say how long to train: a number of steps, tokens or hours")
        for name in ("steps", "hours", "tokens"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name} must be positive; got {value}")

    def progress(self, step: float, seconds: float, tokens: float = 0) -> float:
        """The share of the budget used after so many steps, seconds and tokens, in [0, 1]."""
        by_steps = step / self.steps if self.steps else 0.0
        by_time = seconds / (3600 * self.hours) if self.hours else 0.0
        by_tokens = tokens / self.tokens if self.tokens else 0.0
        return min(1.0, max(by_steps, by_time, by_tokens))


@keras.saving.register_keras_serializable(package="keras_roberta")
class BudgetSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly to the peak, then falls to 0, as a run progresses.

        rate = peak * min(progress / warmup, ((1 - progress) / (1 - warmup)) ** power)

    With a long warm-up, such as a quarter of the run, this is the one-cycle schedule for a fixed
    budget (Geiping & Goldstein, 2022, section 4.3). With a short one it is RoBERTa's schedule.

    Args:
        peak: the largest rate.
        warmup: the warm-up's share of the run, in [0, 1).
        power: exponent of the decay. 1 is a straight line.

    Attributes:
        progress: float variable in [0, 1], the progress of the run. `RunClock` sets it.

    Raises:
        InputError: an argument is outside its range.

    >>> schedule = BudgetSchedule(1.0, warmup=0.2)
    >>> def rate(progress):
    ...     schedule.progress.assign(progress)
    ...     return round(float(schedule(step=0)), 3)
    >>> rate(0.1), rate(0.2), rate(0.6), rate(1.0)
    (0.5, 1.0, 0.5, 0.0)
    """

    def __init__(self, peak: float, warmup: float = 0.05, power: float = 1.0):
        if not peak > 0:
            raise InputError(f"learning_rate must be positive; got {peak}")
        if not 0 <= warmup < 1:
            raise InputError(f"warmup is a share of the run, in [0, 1); got {warmup}")
        if not power > 0:
            raise InputError(f"decay_power must be positive; got {power}")
        self.peak, self.warmup, self.power = peak, warmup, power
        # A variable, so that its value may change in a compiled step.
        self.progress = keras.Variable(0.0, trainable=False, name="progress")

    def __call__(self, step: Any) -> Any:
        progress = ops.cast(self.progress, "float32")
        rising = progress / self.warmup if self.warmup else 1.0
        falling = ops.power((1.0 - progress) / (1.0 - self.warmup), self.power)
        return self.peak * ops.clip(ops.minimum(rising, falling), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "warmup": self.warmup, "power": self.power}


class RunClock(keras.callbacks.Callback):
    """Counts the steps, seconds and tokens of a run, sets its learning rate and ends `fit`.

    Args:
        budget: the length of the run.
        schedule: the optimizer's schedule.
        step: steps that the run has done before this process.
        seconds: seconds that the run has taken before this process.
        tokens: tokens that the run has seen before this process.
        agree: function from the seconds that this process has counted to the seconds that all
            processes use. It is called before the first step and after each step.

    Attributes:
        step: steps done.
        seconds: seconds at the end of the last step.
        tokens: tokens seen.
        tokens_a_step: tokens that a step adds to `tokens`; 0 until it is set.
        until: the progress at which `fit` ends, in [0, 1].
    """

    def __init__(
        self,
        budget: Budget,
        schedule: BudgetSchedule,
        *,
        step: int = 0,
        seconds: float = 0.0,
        tokens: int = 0,
        agree: Callable[[float], float] = float,
    ):
        super().__init__()
        self.budget, self.schedule = budget, schedule
        self.step, self.tokens = step, tokens
        self.tokens_a_step, self.until = 0, 1.0
        self.seconds, self.agree = seconds, agree
        self._started = time.monotonic() - seconds

    @property
    def progress(self) -> float:
        """The share of the budget that is used, in [0, 1]."""
        return self.budget.progress(self.step, self.seconds, self.tokens)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """A context whose time is not counted."""
        began = time.monotonic()
        yield
        self._started += time.monotonic() - began

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._look()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # The middle of the step, so that neither the first nor the last step has a rate of 0.
        tokens = self.tokens + 0.5 * self.tokens_a_step
        self.schedule.progress.assign(self.budget.progress(self.step + 0.5, self.seconds, tokens))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.step += 1
        self.tokens += self.tokens_a_step
        self._look()
        if self.progress >= self.until:
            self.model.stop_training = True

    def _look(self):
        self.seconds = self.agree(time.monotonic() - self._started)
