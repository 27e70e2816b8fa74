"""Progress bars in the terminal."""

import contextlib
import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from keras_roberta.training.runs.budget import RunClock

# Results go to stdout, which may be a pipe. Progress is for people, so it goes to stderr.
console = Console(stderr=True)
_REDRAWN_EVERY = 0.2  # seconds, for the bar of a long run


def progress_bar(*columns: ProgressColumn) -> Progress:
    """A progress bar with the time left, or at the end with the time taken.

    Args:
        *columns: more columns, to stand before the time.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        *columns,
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        console=console,
    )


@contextlib.contextmanager
def waiting(description: str) -> Iterator[None]:
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
    """One bar for each epoch: steps, steps per second, time left, loss and metrics.

    Args:
        description: one or two words in front of the bar.
    """

    def __init__(self, description: str = "training"):
        super().__init__()
        self.description = description
        self._bar = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._bar = progress_bar(
            TextColumn("{task.fields[rate]}"), TextColumn("[cyan]{task.fields[results]}")
        )
        self._bar.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        epochs = self.params["epochs"]
        name = f"{self.description} {epoch + 1}/{epochs}" if epochs > 1 else self.description
        self._task = self._bar.add_task(name, total=self.params.get("steps"), rate="", results="")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        speed = self._bar.tasks[self._task].speed
        self._bar.update(
            self._task,
            advance=1,
            rate=f"{speed:.1f}/s" if speed else "",
            results=_formatted(logs, ("loss",)),
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        task = self._bar.tasks[self._task]
        self._bar.update(self._task, total=task.completed, results=_formatted(_at_the_end(logs)))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the bar.

        Call it after an exception, too: Keras does not call `on_train_end` then.
        """
        if self._bar is not None:
            self._bar.stop()


class RunBar(keras.callbacks.Callback):
    """One bar for a long run over several calls of `fit`.

    It shows the share that is done, steps, tokens per second, loss and time left.

    Args:
        clock: the clock of the run. It must come before this callback in the list of callbacks.
        description: one or two words in front of the bar.
    """

    def __init__(self, clock: "RunClock", description: str = "pre-training"):
        super().__init__()
        self.clock, self.description = clock, description
        self._bar = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
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

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        clock, now = self.clock, time.monotonic()
        if now < self._drawn + _REDRAWN_EVERY and clock.progress < 1:
            return  # reading the loss waits for the device
        self._drawn = now
        speed = (clock.tokens - self._tokens) / max(clock.seconds - self._seconds, 1e-9)
        done = f"step {clock.step:,} {speed:,.0f} tokens/s"
        self._bar.update(
            self._task,
            completed=clock.progress,
            results=f"{done} [cyan]{_formatted(logs, ('loss',))}",
        )

    def close(self) -> None:
        """Ends the bar, at the end of the run or after an exception."""
        if self._bar is not None:
            self._bar.stop()


def _formatted(logs, names=None):
    logs = logs or {}
    return " ".join(f"{name} {float(logs[name]):.3f}" for name in names or logs if name in logs)


def _at_the_end(logs):
    """The loss, and each metric: its value on the validation data, if there is one."""
    return {
        name: value
        for name, value in (logs or {}).items()
        if name != "val_loss" and (name == "loss" or f"val_{name}" not in logs)
    }
