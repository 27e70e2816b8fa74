"""Progress of a training run in the terminal."""

import contextlib
import math
import time

import keras
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# Results go to stdout, which may be a pipe; what is for the eye goes here.
console = Console(stderr=True)
_REDRAWN_EVERY = 0.2  # seconds, of the bar of a long run


def progress_bar(*columns):
    """A bar with the time left, at the end the time spent; `columns` come before that."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        *columns,
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        console=console,
    )


@contextlib.contextmanager
def waiting(description):
    """A spinner for work of unknown length."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bar:
        bar.add_task(description, total=None)
        yield


class ProgressBar(keras.callbacks.Callback):
    """One bar an epoch: steps, steps a second, time left, loss and metrics.

    Args:
        description: what is going on, in a word or two.
    """

    def __init__(self, description="training"):
        super().__init__()
        self.description = description
        self._bar = None

    def on_train_begin(self, logs=None):
        self._bar = progress_bar(
            TextColumn("{task.fields[rate]}"), TextColumn("[cyan]{task.fields[results]}")
        )
        self._bar.start()

    def on_epoch_begin(self, epoch, logs=None):
        epochs = self.params["epochs"]
        name = f"{self.description} {epoch + 1}/{epochs}" if epochs > 1 else self.description
        self._task = self._bar.add_task(name, total=self.params.get("steps"), rate="", results="")

    def on_train_batch_end(self, batch, logs=None):
        speed = self._bar.tasks[self._task].speed
        self._bar.update(
            self._task,
            advance=1,
            rate=f"{speed:.1f}/s" if speed else "",
            results=_formatted(logs, ("loss",)),
        )

    def on_epoch_end(self, epoch, logs=None):
        task = self._bar.tasks[self._task]
        self._bar.update(self._task, total=task.completed, results=_formatted(_at_the_end(logs)))

    def on_train_end(self, logs=None):
        self.close()

    def close(self):
        """Gives the terminal back; Keras does not call `on_train_end` after an exception."""
        if self._bar is not None:
            self._bar.stop()


class RunBar(keras.callbacks.Callback):
    """One bar for a long run, over several calls of `fit`: share done, tokens a second, loss,
    time left.

    Args:
        clock: has `progress` in [0, 1], `step`, `tokens` and `seconds`; comes before it in the
            callbacks.
        description: what is going on, in a word or two.
    """

    def __init__(self, clock, description="pre-training"):
        super().__init__()
        self.clock, self.description = clock, description
        self._bar = None

    def on_train_begin(self, logs=None):
        if self._bar is not None:
            return
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TaskProgressColumn(),
            TextColumn("{task.fields[results]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
        )
        self._bar.start()
        self._tokens, self._seconds = self.clock.tokens, self.clock.seconds
        self._drawn = -math.inf
        self._task = self._bar.add_task(
            self.description, total=1.0, completed=self.clock.progress, results=""
        )

    def on_train_batch_end(self, batch, logs=None):
        clock, now = self.clock, time.monotonic()
        if now < self._drawn + _REDRAWN_EVERY and clock.progress < 1:
            return  # To read the loss is to wait for the device.
        self._drawn = now
        speed = (clock.tokens - self._tokens) / max(clock.seconds - self._seconds, 1e-9)
        done = f"step {clock.step:,} {speed:,.0f} tokens/s"
        self._bar.update(
            self._task,
            completed=clock.progress,
            results=f"{done} [cyan]{_formatted(logs, ('loss',))}",
        )

    def close(self):
        """Gives the terminal back, at the end of the run or after an exception."""
        if self._bar is not None:
            self._bar.stop()


def _formatted(logs, names=None):
    logs = logs or {}
    return " ".join(f"{name} {float(logs[name]):.3f}" for name in names or logs if name in logs)


def _at_the_end(logs):
    """The loss, and of each metric the value on the validation data where there is one."""
    return {
        name: value
        for name, value in (logs or {}).items()
        if name != "val_loss" and (name == "loss" or f"val_{name}" not in logs)
    }
