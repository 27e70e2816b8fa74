"""One label of several for each text."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from keras_roberta.data.examples.table_files import as_number
from keras_roberta.errors import InputError
from keras_roberta.schemas.label_names import (
    LARGEST_NUM_CLASSES,
    as_integer,
    checked_names,
    class_number,
    flat_labels,
)
from keras_roberta.schemas.schema import Comparison, Schema, changed_by


@dataclasses.dataclass(frozen=True)
class OneLabel(Schema):
    """Classes that exclude one another.

    Attributes:
        num_classes: columns of the logits.
        labels: names in the order of their numbers, or None.
    """

    num_classes: int
    labels: tuple[str, ...] | None = None

    name: ClassVar[str] = "one-label"
    main_score: ClassVar[str] = "accuracy"

    def __post_init__(self):
        object.__setattr__(self, "labels", checked_names(self.labels, self.num_classes))

    @classmethod
    def from_table(cls, table, columns, *, num_classes=None):
        option = "--label-column"
        labels = table.labels(columns.label, option)
        numbers = [as_integer(label) for label in labels]
        if None in numbers:
            _refuse_measurements(table, columns.label, labels)
            names = tuple(sorted({str(label) for label in labels}))
            if num_classes not in (None, len(names)):
                raise InputError(
                    f"{table.path}: {len(names)} labels, but --num-classes is {num_classes}"
                )
            found = cls(len(names), names)
        else:
            if num_classes is None and max(numbers) >= LARGEST_NUM_CLASSES:
                raise InputError(
                    f"{table.path}: labels go up to {max(numbers)}; number the classes from 0, or "
                    "give --num-classes if you mean it"
                )
            found = cls(num_classes or max(2, max(numbers) + 1))
        if len(set(map(str, labels))) < 2:
            raise InputError(
                f"{table.path}: column {columns.label!r} holds a single label, {labels[0]!r}; a "
                "classifier needs two or more"
            )
        return found

    def targets(self, labels):
        numbers = []
        for label in flat_labels(labels):
            if isinstance(label, list) and len(label) == 1:  # a column of a matrix
                (label,) = label
            numbers.append(class_number(label, self.num_classes, self.labels))
        return np.array(numbers, "int32")

    def outputs(self, logits):
        probabilities = softmax(np.asarray(logits, "float32"))
        return {
            "logits": np.asarray(logits),
            "probabilities": probabilities,
            "label": probabilities.argmax(axis=-1).astype("int32"),
            "score": probabilities.max(axis=-1),
        }

    def answers(self, outputs):
        names = self.label_names
        return [
            {"label": names[int(label)], "score": float(score)}
            for label, score in zip(outputs["label"], outputs["score"], strict=True)
        ]

    def scores(self, outputs, targets):
        from sklearn.metrics import f1_score

        predicted, targets = np.asarray(outputs["label"]), np.asarray(targets)
        return {
            "accuracy": float(np.mean(predicted == targets)),
            "macro_f1": float(f1_score(targets, predicted, average="macro", zero_division=0)),
        }

    def compare(self, found, expected):
        return Comparison(
            float(np.mean(np.asarray(found["label"]) == np.asarray(expected["label"]))),
            changed_by(found["probabilities"], expected["probabilities"]),
        )

    @property
    def label_names(self):
        return self.labels or tuple(map(str, range(self.num_classes)))

    def task_settings(self):
        return {"num_classes": self.num_classes, "labels": self.labels}


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _refuse_measurements(table, column, labels):
    """A column of real numbers is no set of classes."""
    numbers = [as_number(label) for label in labels]
    if None not in numbers and any(not number.is_integer() for number in numbers):
        raise InputError(
            f"{table.path}: column {column!r} holds numbers such as {labels[0]!r}, not classes; "
            "give --task regress to predict them"
        )
