"""The table that a model is run on, looked at before the model is opened."""

from __future__ import annotations

from pathlib import Path

from keras_roberta.data.examples.columns import Columns, column_names
from keras_roberta.data.examples.table_files import Table, read_table
from keras_roberta.files.text_file import read_text_lines
from keras_roberta.schemas import SCHEMAS


def read_input_table(path: str | Path, columns: Columns, *, labels: bool) -> Table:
    """Reads a table, and checks that it has the columns that are named.

    Args:
        path: see `read_table`; without `labels` also a `.txt` file, each of whose lines is a text.
            Since the model is not known, a file of unknown suffix may be one of any task's.
        labels: whether the column of labels is read.

    Raises:
        InputError: names the file, the line or the column.
    """
    if not labels and has_no_columns(path):
        lines = read_text_lines(path)
        return Table(Path(path), {"text": lines}, list(range(1, len(lines) + 1)))
    suffixes = (cls.default_suffix for cls in SCHEMAS.values())
    table = read_table(path, next(filter(None, suffixes), None), header=columns.header)
    wanted = {"text": columns.text, "text-pair": columns.text_pair}
    if labels:
        usual = dict.fromkeys(name for cls in SCHEMAS.values() for name in cls.label_columns)
        found = [name for name in usual if name in table.columns]
        if columns.label or found or not _needs_no_labels(table, columns):
            wanted["label"] = columns.label or [*found, *usual][0]
    for option, name in wanted.items():
        if name is None:
            continue
        for part in column_names(table, name):
            table.column(part, f"--{option}-column")
    return table


def has_no_columns(path: str | Path) -> bool:
    """Whether each line of a file is a text."""
    return Path(path).suffix.lower() == ".txt"


def _needs_no_labels(table, columns):
    """Whether a model, which is not opened yet, may be measured with the texts alone."""
    return any(cls.needs_no_labels(table, columns) for cls in SCHEMAS.values())
