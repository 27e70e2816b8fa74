"""The table that a model is run on, looked at before the model is opened."""

from __future__ import annotations

from pathlib import Path

from keras_roberta.data.examples.columns import Columns, column_names, read_texts
from keras_roberta.data.examples.json_tables import is_json_object
from keras_roberta.data.examples.table_files import Table, read_table
from keras_roberta.errors import InputError
from keras_roberta.files.regular_file import read_regular
from keras_roberta.files.text_file import read_text_lines
from keras_roberta.schemas import SCHEMAS


def read_input_table(path: str | Path, columns: Columns, *, labels: bool) -> Table:
    """Reads a table, and checks that it has the columns that are named.

    Args:
        path: see `read_table`; without `labels` also a `.txt` file, each of whose lines is a text
            unless it is JSON. Since the model is not known, a file of unknown suffix may be one of
            any task's.
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


def read_corpus(path: str | Path, column: str | None, *, header: bool) -> list[str]:
    """The texts that are searched.

    Args:
        path: see `read_input_table`.
        column: as `Columns.text`.
        header: as `Columns.header`.

    Raises:
        InputError: names the file, the line or the column.
    """
    table = read_input_table(path, Columns(header=header), labels=False)
    option = "--corpus-column"
    texts = read_texts(table, Columns(text=column), option=option)
    if isinstance(texts, tuple):
        raise InputError(
            f"{table.path}: a corpus has single texts, not pairs; name a column with {option}"
        )
    return texts


def has_no_columns(path: str | Path) -> bool:
    """Whether each line of a file is a text. A `.txt` that is JSON is a table, as RACE's are.

    Raises:
        InputError: it cannot be read.
    """
    path = Path(path).expanduser()
    return path.suffix.lower() == ".txt" and not is_json_object(read_regular(path))


def _needs_no_labels(table, columns):
    """Whether a model, which is not opened yet, may be measured with the texts alone."""
    return any(cls.needs_no_labels(table, columns) for cls in SCHEMAS.values())
