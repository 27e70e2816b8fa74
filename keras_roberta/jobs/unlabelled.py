"""Rows without labels for a student, with the teacher's answers in place of labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_roberta.data.examples.named_columns import TEXT
from keras_roberta.data.examples.table_files import Table
from keras_roberta.errors import InputError
from keras_roberta.files.text_file import read_text_lines
from keras_roberta.jobs.input_table import read_input_table
from keras_roberta.jobs.options.finetune import FinetuneOptions

if TYPE_CHECKING:
    from keras_roberta.jobs.finetune import TrainingData
    from keras_roberta.tasks.task import RobertaTask


def read_unlabelled(path: str | Path, options: FinetuneOptions) -> Table:
    """The rows of a table, or the lines of a `.txt` file that are not blank.

    Raises:
        InputError: names the file, the line or the column that does not fit.
    """
    if Path(path).suffix.lower() != ".txt":
        return read_input_table(path, options.columns, labels=False).head(options.limit)
    lines = {n: line for n, line in enumerate(read_text_lines(path), 1) if line.strip()}
    name = options.columns.text or TEXT
    return Table(Path(path), {name: list(lines.values())}, list(lines)).head(options.limit)


def with_unlabelled(
    data: TrainingData, table: Table, teacher: RobertaTask, options: FinetuneOptions
) -> TrainingData:
    """The training data with further rows, whose labels are what the teacher answers.

    Args:
        data: of the teacher's schema.
        table: with the columns of the training table but the labels.

    Raises:
        InputError: names what of the table does not fit.
    """
    inputs = data.schema.read_inputs(table, options.columns, prefix="--")
    sides = _sides(inputs)
    if sides != _sides(data.texts):
        raise InputError(
            f"{table.path}: has {sides} text{'s' * (sides > 1)} a row, and {data.train.path} has "
            f"{_sides(data.texts)}; give rows of one kind"
        )
    if isinstance(inputs, list):  # lists of words as their texts: their labels are spans of these
        inputs, _ = data.schema.texts_of(inputs)
    columns = inputs if isinstance(inputs, (tuple, Mapping)) else (inputs,)
    first = next(iter(columns.values())) if isinstance(columns, Mapping) else columns[0]
    for text, line in zip(first, table.lines, strict=True):
        if not text.strip():
            raise InputError(f"{table.place(line)}: has no text; remove the {table.unit}")
    try:
        labels = data.schema.labels_of(teacher.answers(inputs, options.batch_size))
        targets = data.schema.targets(labels)
    except InputError as error:
        raise InputError(f"{table.path}: {error}") from None
    if np.ndim(targets) != np.ndim(data.targets):  # scores, and pairs that have none
        raise InputError(
            f"{data.train.path}: its pairs have no scores; put those of {table.path} there too"
        )
    targets = _joined(data.targets, targets)
    return dataclasses.replace(data, texts=_joined(data.texts, inputs), targets=targets)


def _sides(inputs: Any) -> int:
    return len(inputs) if isinstance(inputs, tuple) else 1


def _joined(one: Any, other: Any) -> Any:
    """Rows of two tables, in one of the forms in which schemas read them."""
    if isinstance(one, Mapping):
        counts = [len(next(iter(rows.values()))) for rows in (one, other)]
        return {
            name: [
                *one.get(name, [""] * counts[0]),  # such as contexts, which one may not have
                *other.get(name, [""] * counts[1]),
            ]
            for name in dict.fromkeys((*one, *other))
        }
    if isinstance(one, tuple):
        return tuple(_joined(*sides) for sides in zip(one, other, strict=True))
    if isinstance(one, np.ndarray):
        return np.concatenate([one, other])
    return [*one, *other]
