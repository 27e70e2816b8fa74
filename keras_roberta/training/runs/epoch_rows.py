"""The history of a run, a row an epoch, over all processes that trained it."""

from collections.abc import Sequence
from typing import Any

import keras


class EpochRows(keras.callbacks.Callback):
    """Collects what an epoch ends with: `epoch`, counted from 1, `loss`, and the metrics.

    It has to stand behind the callbacks that add to the logs.

    Args:
        rows: of the epochs that another process has trained.

    Attributes:
        rows: dicts of numbers, all epochs so far.
    """

    def __init__(self, rows: Sequence[dict[str, float]] = ()):
        super().__init__()
        self.rows = list(rows)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = {name: float(value) for name, value in (logs or {}).items()}
        self.rows.append({"epoch": epoch + 1, **values})
