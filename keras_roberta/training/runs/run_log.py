"""The logs of a run: a CSV file and TensorBoard's events."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from keras_roberta.files.atomic_write import atomic_file

_NAME = "language"  # the column whose cells are no numbers


class CsvLog:
    """A report for `Windows` that appends a row to a CSV file, and flushes it at once.

    Args:
        path: path of the file. Rows that it already has are kept.
        step: the step from which the run goes on. Rows of later steps are removed, and so are
            lines that are no rows: one that was cut off, or that another program wrote.
    """

    def __init__(self, path: str | os.PathLike, step: int = 0):
        self.path = Path(path)
        rows = [row for row in self.rows() if int(row["step"]) <= step]
        self._columns = list(rows[0]) if rows else None
        with (
            atomic_file(self.path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            if rows:
                writer = csv.DictWriter(file, self._columns)
                writer.writeheader()
                writer.writerows(rows)

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        row = {"step": step, **values}
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            if self._columns is None:
                self._columns = list(row)
                csv.DictWriter(file, self._columns).writeheader()
            csv.DictWriter(file, self._columns, extrasaction="ignore").writerow(row)

    def rows(self) -> list[dict[str, str]]:
        """The rows of the file."""
        if not self.path.exists():
            return []
        text = self.path.read_text(encoding="utf-8", errors="replace")
        lines = [line.split(",") for line in text[: text.rfind("\n") + 1].splitlines()]
        columns = next((cells for cells in lines if cells[0] == "step"), None)
        return [
            dict(zip(columns, cells, strict=True))
            for cells in lines
            if columns and len(cells) == len(columns) and _is_row(columns, cells)
        ]


def _is_row(columns, cells):
    """Whether the cells are numbers, and a name in the column of names."""
    for column, cell in zip(columns, cells, strict=True):
        if column == _NAME:
            if not cell:
                return False
            continue
        try:
            (int if column == "step" else float)(cell)
        except ValueError:
            return False
    return True


class TensorBoardLog:
    """A report for `Windows` that writes events for TensorBoard.

    TensorBoard does not have to be installed to write them; to look at them it does.

    Args:
        directory: the directory for the event files.
    """

    def __init__(self, directory: str | os.PathLike):
        self._writer = tf.summary.create_file_writer(str(directory))
        self._metadata = tf.compat.v1.SummaryMetadata()
        self._metadata.plugin_data.plugin_name = "scalars"

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        with self._writer.as_default():
            for name, value in values.items():
                tf.summary.write(name, tf.constant(value, tf.float32), step, self._metadata)
        self._writer.flush()
