"""How long a run will take, said once after its first steps."""

import itertools
from typing import Any

import keras

from keras_roberta.training.runs.budget import RunClock
from keras_roberta.training.runs.progress import console

# The first step compiles; the others are timed until there are so many, or so many seconds.
_STEPS, _SECONDS = 10, 30


class TimeEstimate(keras.callbacks.Callback):
    """Prints tokens a second and the time that is left.

    Args:
        clock: of the run. It must come before this callback in the list of callbacks.
        tokens: that the whole run will see, or None where hours alone end it.
    """

    def __init__(self, clock: RunClock, tokens: int | None):
        super().__init__()
        self.clock, self.tokens = clock, tokens
        self._first, self._said = None, False

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        clock = self.clock
        if self._said:
            return
        if self._first is None:
            self._first = clock.step, clock.seconds, clock.tokens
            return
        step, seconds, tokens = self._first
        passed = clock.seconds - seconds
        if clock.step - step < _STEPS and passed < _SECONDS:
            return
        self._said = True
        rate = (clock.tokens - tokens) / max(passed, 1e-9)
        left = [] if self.tokens is None else [max(self.tokens - clock.tokens, 0) / rate]
        if clock.budget.hours is not None:
            left.append(max(3600 * clock.budget.hours - clock.seconds, 0))
        console.print(f"{rate:,.0f} tokens/s: about {in_words(min(left))} to go")


def in_words(seconds: float) -> str:
    """A time in two units at most.

    >>> [in_words(s) for s in (5, 95, 3700, 172_799, 200_000, 1e9)]
    ['5 s', '2 min', '1 h 2 min', '2 d', '2 d 8 h', '31 y 259 d']
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    units = (("y", 525_600), ("d", 1440), ("h", 60), ("min", 1))
    for (name, size), (smaller_name, smaller) in itertools.pairwise(units):
        if minutes >= size:
            count, rest = divmod(round(minutes / smaller), size // smaller)
            return f"{count} {name} {rest} {smaller_name}" if rest else f"{count} {name}"
