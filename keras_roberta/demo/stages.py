"""How long the parts of a job take."""

import contextlib
import time

from rich.table import Table


class Stages:
    """Times the parts of a job: `with stages("name"): …`.

    Attributes:
        seconds: dict of the names of the parts that are done to their seconds.
    """

    def __init__(self):
        self.seconds = {}

    @contextlib.contextmanager
    def __call__(self, name: str):
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 1)

    def table(self) -> Table:
        """A rich table of seconds and shares."""
        table, total = Table(box=None), sum(self.seconds.values())
        table.add_column("stage")
        table.add_column("seconds", justify="right")
        table.add_column("share", justify="right")
        for name, seconds in [*self.seconds.items(), ("all", total)]:
            table.add_row(name, f"{seconds:.1f}", f"{seconds / max(total, 1e-9):.0%}")
        return table
