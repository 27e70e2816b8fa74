"""A progress bar for each pass of a job."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn


class ProgressBars:
    """Gives a function of (what is going on, tasks done, tasks in all) while it is entered."""

    def __enter__(self):
        self._bars = Progress(
            "{task.description}",
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=Console(stderr=True),
        )
        self._tasks = {}
        return self._show

    def __exit__(self, *_):
        if self._tasks:
            self._bars.stop()

    def _show(self, description, done, total):
        if not self._tasks:  # before the first there would be an empty line
            self._bars.start()
        if description not in self._tasks:
            self._tasks[description] = self._bars.add_task(description, total=total)
        self._bars.update(self._tasks[description], completed=done)
