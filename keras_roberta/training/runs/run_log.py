"""What a run writes down as it goes: a table and TensorBoard's events."""

import csv
from pathlib import Path

import tensorflow as tf

from keras_roberta.files.atomic_write import atomic_file


class CsvLog:
    """A report of `Windows` that appends a row to a CSV file, flushed at once.

    Args:
        path: of the file.
        step: rows beyond this step, of a run that was cut off there, are dropped. So is a row
            that was not written to its end.
    """

    def __init__(self, path, step=0):
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

    def __call__(self, step, values):
        row = {"step": step, **values}
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            if self._columns is None:
                self._columns = list(row)
                csv.DictWriter(file, self._columns).writeheader()
            csv.DictWriter(file, self._columns, extrasaction="ignore").writerow(row)

    def rows(self):
        """What the file holds: a list of dicts of strings."""
        if not self.path.exists():
            return []
        text = self.path.read_text(encoding="utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1].splitlines()
        return [row for row in csv.DictReader(whole) if None not in row.values()]


class TensorBoardLog:
    """A report of `Windows` for TensorBoard, which need not be installed here."""

    def __init__(self, directory):
        self._writer = tf.summary.create_file_writer(str(directory))
        self._metadata = tf.compat.v1.SummaryMetadata()
        self._metadata.plugin_data.plugin_name = "scalars"

    def __call__(self, step, values):
        with self._writer.as_default():
            for name, value in values.items():
                tf.summary.write(name, tf.constant(value, tf.float32), step, self._metadata)
        self._writer.flush()
