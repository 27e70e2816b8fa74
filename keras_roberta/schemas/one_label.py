"""One label of several for each text."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from keras_roberta.data.examples.label_names import (
    LabelError,
    as_array,
    as_plain,
    checked_names,
    class_number,
    class_numbers,
    spelt,
)
from keras_roberta.data.examples.table_files import as_number
from keras_roberta.errors import InputError
from keras_roberta.schemas.schema import Comparison, Schema, changed_by
from keras_roberta.schemas.table_classes import classes_of_table


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
        labels = table.labels(columns.label, "--label-column")
        found = cls(*classes_of_table(table, labels, num_classes))
        if len(set(map(spelt, labels))) < 2:
            raise InputError(
                f"{table.path}: column {columns.label!r} holds a single label, {labels[0]!r}; a "
                "classifier needs two or more"
            )
        return found

    def targets(self, labels):
        """Class numbers, int32 (rows,); of an array of one probability a class that array,
        float32 (rows, num_classes)."""
        soft = self._probabilities(labels)
        return class_numbers(labels, self.num_classes, self.labels) if soft is None else soft

    def _probabilities(self, labels):
        array = as_array(labels)
        if array is None and isinstance(labels, (list, tuple)):
            if not labels or not all(hasattr(row, "__len__") for row in labels):
                return None
            try:
                array = np.asarray(labels)
            except ValueError:  # rows of unequal length
                return None
        if array is None or array.ndim != 2 or array.shape[1] != self.num_classes:
            return None
        if array.dtype.kind not in "biuf":
            return None
        for row in np.flatnonzero(~np.isfinite(array).all(axis=1)):
            raise LabelError(int(row), f"expected a probability for each class; got {array[row]}")
        return array.astype("float32")

    def class_factors(self, weights):
        factors = np.ones(self.num_classes, "float32")
        for label, factor in weights.items():
            try:
                number = class_number(as_plain(label), self.num_classes, self.labels)
            except InputError as error:
                raise InputError(f"class_weight: {error}") from None
            if as_number(as_plain(factor)) is None or factor < 0:
                raise InputError(f"class_weight of {label!r}: give a number from 0; got {factor!r}")
            factors[number] = factor
        return factors

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
        if targets.ndim == 2:  # probabilities
            targets = targets.argmax(axis=1)
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
