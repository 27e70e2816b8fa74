"""Any number of labels for each text."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from keras_roberta.data.examples.label_names import (
    LabelError,
    as_array,
    checked_names,
    class_number,
    flat_labels,
)
from keras_roberta.data.examples.table_files import is_label
from keras_roberta.errors import InputError
from keras_roberta.schemas.comparison import Comparison, changed_by
from keras_roberta.schemas.label_scores import scores_by_label
from keras_roberta.schemas.metrics import (
    ConfusionMatrix,
    Details,
    checked_threshold,
    class_scores,
    f1_scores,
    marks_confusion,
    of_marks,
    threshold_of,
)
from keras_roberta.schemas.schema import Schema
from keras_roberta.schemas.table_classes import classes_of_table


@dataclasses.dataclass(frozen=True)
class ManyLabels(Schema):
    """Labels that do not exclude one another: none, one or several a text.

    In Python the labels of a text are a list of names or numbers. Marks are taken, too, 0 or 1 for
    each class, or a probability: an array (texts, classes) of them always holds marks; lists do
    where there are three classes or more and all rows have one mark a class. For one or two classes
    lists are label numbers: of two, [0, 1] names both.

    In a table labels stand in one column: separated by commas, nothing for none; in JSON lines a
    list of labels, or of three marks or more.

    Attributes:
        num_classes: columns of the logits.
        labels: names in the order of their numbers, or None.
        thresholds: probability from which a label is given, one a class; a single number for all.
    """

    num_classes: int
    labels: tuple[str, ...] | None = None
    thresholds: tuple[float, ...] | float = 0.5

    name: ClassVar[str] = "many-labels"
    main_score: ClassVar[str] = "micro_f1"
    training_options: ClassVar[frozenset[str]] = frozenset({"r_drop", "confidence_penalty"})

    def __post_init__(self):
        object.__setattr__(self, "labels", checked_names(self.labels, self.num_classes))
        try:
            thresholds = np.atleast_1d(np.asarray(self.thresholds, "float64"))
        except (TypeError, ValueError):
            thresholds = np.zeros(0)
        if thresholds.size == 1:
            thresholds = thresholds.repeat(self.num_classes)
        if thresholds.size != self.num_classes or not ((0 < thresholds) & (thresholds < 1)).all():
            raise InputError(
                "thresholds: give one probability between 0 and 1, or one for each of "
                f"{self.num_classes} classes; got {self.thresholds!r}"
            )
        object.__setattr__(self, "thresholds", tuple(map(float, thresholds)))

    @classmethod
    def from_table(cls, table, columns, *, num_classes=None):
        column = cls.label_column(table, columns)
        rows = _read_rows(table, column, "--label-column")
        marked = len(rows[0])
        if marked >= 3 and _are_marks(rows, marked):
            if num_classes not in (None, marked):
                raise InputError(
                    f"{table.path}: rows of {marked} marks, but --num-classes is {num_classes}"
                )
            return cls(marked)
        found = [label for row in rows for label in row]
        if not found:
            raise InputError(f"{table.path}: column {column!r} holds no label at all")
        return cls(*classes_of_table(table, found, num_classes))

    def read_labels(self, table, column, option):
        return _read_rows(table, column, option)

    def targets(self, labels: Any) -> np.ndarray:
        """float32 (rows, num_classes) of 0 and 1."""
        marks = as_array(labels)
        if marks is not None and marks.ndim == 2 and marks.dtype.kind in "biuf":
            if _are_shares(marks):
                if marks.shape[1] != self.num_classes:
                    raise InputError(
                        f"labels: marks for {marks.shape[1]} classes, but there are "
                        f"{self.num_classes}"
                    )
                return marks.astype("float32")
        rows = flat_labels(labels)
        if not all(isinstance(row, (list, tuple, set, np.ndarray)) for row in rows):
            kinds = (list, tuple, set, np.ndarray)
            row, wrong = next((i, r) for i, r in enumerate(rows) if not isinstance(r, kinds))
            raise LabelError(row, f"give a list of labels for each text; got {wrong!r}")
        rows = [flat_labels(row) for row in rows]
        if self.num_classes > 2 and _are_marks(rows, self.num_classes):
            return np.array(rows, "float32").reshape(-1, self.num_classes)
        targets = np.zeros((len(rows), self.num_classes), "float32")
        for row, names in enumerate(rows):
            try:
                self._mark(targets[row], names)
            except InputError as error:
                raise LabelError(row, str(error)) from None
        return targets

    def _mark(self, row, labels):
        for label in labels:
            number = class_number(label, self.num_classes, self.labels)
            if row[number]:
                raise InputError(f"label {label!r} is named twice for one text")
            row[number] = 1.0

    def outputs(self, logits):
        logits = np.asarray(logits, "float32")
        probabilities = 0.5 * (1 + np.tanh(logits / 2))  # the sigmoid, which never overflows so
        given = (probabilities >= np.asarray(self.thresholds, "float32")).astype("int32")
        return {"logits": logits, "probabilities": probabilities, "labels": given}

    def answers(self, outputs):
        names, rows = self.label_names, []
        for given, probabilities in zip(outputs["labels"], outputs["probabilities"], strict=True):
            chosen = np.flatnonzero(given)
            rows.append({
                "labels": [names[i] for i in chosen],
                "scores": [float(probabilities[i]) for i in chosen],
            })  # fmt: skip
        return rows

    def labels_of(self, answers):
        return [answer["labels"] for answer in answers]

    def scores(self, outputs, targets):
        """F1 over all decisions and as a mean over classes (Lewis et al., 2004, section 5), and
        the share of texts with all labels right. A probability as a target counts by `as_marks`."""
        given, targets = np.asarray(outputs["labels"]), as_marks(targets)
        counts = of_marks(targets, given)
        return {
            "micro_f1": float(f1_scores(*(count.sum() for count in counts))),
            "macro_f1": float(f1_scores(*counts).mean()),
            "exact_match": float(np.mean((given == targets).all(axis=1))),
        }

    def ranking_scores(self, targets):
        return ("micro_f1", "macro_f1", "exact_match")

    def details(self, outputs, targets):
        names, targets = self.label_names, as_marks(targets)
        chosen = outputs.get("threshold")
        thresholds = self.thresholds if chosen is None else (chosen,) * len(names)
        return Details(
            classes=class_scores(names, *of_marks(targets, outputs["labels"])),
            confusions=tuple(
                ConfusionMatrix(name, (f"not {name}", name), counts)
                for name, counts in zip(
                    names, marks_confusion(targets, outputs["labels"]), strict=True
                )
            ),
            thresholds=tuple(
                threshold_of(name, targets[:, i], outputs["probabilities"][:, i], thresholds[i])
                for i, name in enumerate(names)
            ),
        )

    def at_threshold(self, outputs, threshold):
        """Every label from this probability on."""
        threshold = checked_threshold(threshold)
        given = np.asarray(outputs["probabilities"]) >= np.float32(threshold)
        return {**outputs, "labels": given.astype("int32"), "threshold": threshold}

    def all_scores(self, outputs):
        return scores_by_label(self.label_names, outputs["probabilities"])

    def compare(self, found, expected):
        """The share of texts whose whole set of labels is the same."""
        same = np.asarray(found["labels"]) == np.asarray(expected["labels"])  # (texts, classes)
        return Comparison(
            float(np.mean(same.all(axis=1))),
            changed_by(found["probabilities"], expected["probabilities"]),
        )

    @property
    def label_names(self):
        return self.labels or tuple(map(str, range(self.num_classes)))

    def task_settings(self):
        return {
            "num_classes": self.num_classes,
            "labels": self.labels,
            "thresholds": self.thresholds,
        }


def as_marks(targets) -> np.ndarray:
    """Which labels are true, bool: of targets that are probabilities those from 0.5 on."""
    return np.asarray(targets) >= 0.5


def _are_marks(rows, num_classes):
    """Whether the rows are of 0 and 1, or what lies between, one a class.

    No row of three or more can be label numbers then: it would name one twice.
    """
    if any(len(row) != num_classes or any(isinstance(m, str) for m in row) for row in rows):
        return False
    try:
        return _are_shares(np.array(rows, "float64"))
    except (TypeError, ValueError):
        return False


def _are_shares(marks):
    return bool(((marks >= 0) & (marks <= 1)).all())


def _read_rows(table, column, option):
    """The labels of each row of a table."""
    rows = []
    for value, line in zip(table.column(column, option), table.lines, strict=True):
        if isinstance(value, str):
            value = [label.strip() for label in value.split(",") if label.strip()]
        elif not isinstance(value, list):
            value = [value]
        if not all(is_label(x) for x in value):
            raise table.error(line, column, f"expected a list of labels, found {value!r:.40}")
        rows.append(value)
    return rows
