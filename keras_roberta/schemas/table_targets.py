"""The targets of a table, with errors that name the line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_roberta.data.examples.label_names import LabelError
from keras_roberta.data.examples.table_files import Table
from keras_roberta.errors import InputError


def check_texts(inputs: Any, table: Table) -> None:
    """Raises where a row has a label but no text.

    Args:
        inputs: of all rows, a list or a tuple of lists.

    Raises:
        InputError: names the line.
    """
    for side in inputs if isinstance(inputs, tuple) else (inputs,):
        for text, line in zip(side, table.lines, strict=True):
            if isinstance(text, str) and not text.strip():
                raise InputError(
                    f"{table.place(line)}: there is a label but no text; remove the {table.unit}"
                )


def targets_of_column(
    targets: Callable[[list], np.ndarray], labels: list, table: Table, column: str
) -> np.ndarray:
    """The targets of labels that stand in a table.

    Args:
        targets: function of labels, see `Schema.targets`.
        labels: one a row.
        column: where they stand.

    Raises:
        InputError: names the line whose label does not fit.
    """
    try:
        return targets(labels)
    except LabelError as error:
        raise table.error(table.lines[error.row], column, error.problem) from None
    except InputError as error:
        for label, line in zip(labels, table.lines, strict=True):
            try:
                targets([label])
            except InputError as of_row:
                raise table.error(line, column, str(of_row)) from None
        raise InputError(f"{table.path}, column {column!r}: {error}") from None
