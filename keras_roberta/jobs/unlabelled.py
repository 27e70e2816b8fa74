"""Rows without labels for a student, with the teacher's answers in place of labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_roberta.data.examples.table_files import Table
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.finetune import FinetuneOptions

if TYPE_CHECKING:
    from keras_roberta.jobs.finetune import TrainingData
    from keras_roberta.tasks.task import RobertaTask


def with_unlabelled(
    data: TrainingData, table: Table, teacher: RobertaTask, options: FinetuneOptions
) -> TrainingData:
    """The training data with further rows, whose labels are what the teacher answers.

    Args:
        data: of the teacher's schema.
        table: with the columns of the training table but the labels.

    Raises:
        InputError: names what of the table does not fit; or the task has no labels that answers
            could stand for.
    """
    inputs = data.schema.read_inputs(table, options.columns, prefix="--")
    if isinstance(inputs, list):  # lists of words as their texts: their labels are spans of these
        inputs, _ = data.schema.texts_of(inputs)
    try:
        answers = teacher.answers(inputs, options.batch_size)
        targets = data.schema.targets(data.schema.labels_of(answers))
    except InputError as error:
        raise InputError(f"{table.path}: {error}") from None
    return dataclasses.replace(
        data, texts=_joined(data.texts, inputs), targets=_joined(data.targets, targets)
    )


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
