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
from keras_roberta.options import OptionError
from keras_roberta.schemas.calibration import (
    checked_temperature,
    fitted_temperature,
    reliability,
)
from keras_roberta.schemas.comparison import Comparison, changed_by
from keras_roberta.schemas.label_scores import scores_by_label
from keras_roberta.schemas.metrics import (
    ConfusionMatrix,
    Details,
    checked_threshold,
    class_scores,
    confusion_matrix,
    f1_scores,
    matthews_correlation,
    of_matrix,
    threshold_of,
)
from keras_roberta.schemas.schema import Schema
from keras_roberta.schemas.table_classes import classes_of_table


@dataclasses.dataclass(frozen=True)
class OneLabel(Schema):
    """Classes that exclude one another.

    Attributes:
        num_classes: columns of the logits.
        labels: names in the order of their numbers, or None.
        temperature: what logits are divided by before they become probabilities; see
            `calibration`.
    """

    num_classes: int
    labels: tuple[str, ...] | None = None
    temperature: float = 1.0

    name: ClassVar[str] = "one-label"
    main_score: ClassVar[str] = "accuracy"
    names_numbers: ClassVar[bool] = True
    training_options: ClassVar[frozenset[str]] = frozenset(
        {"label_smoothing", "class_weight", "calibrate", "r_drop", "confidence_penalty"}
    )

    def __post_init__(self):
        object.__setattr__(self, "labels", checked_names(self.labels, self.num_classes))
        object.__setattr__(self, "temperature", checked_temperature(self.temperature))

    @classmethod
    def from_table(cls, table, columns, *, num_classes=None):
        column = cls.label_column(table, columns)
        labels = table.labels(column, "--label-column")
        if columns.label_names is not None:
            return cls(num_classes or len(columns.label_names), columns.label_names)
        found = cls(*classes_of_table(table, labels, num_classes))
        if len(set(map(spelt, labels))) < 2:
            raise InputError(
                f"{table.path}: column {column!r} holds a single label, {labels[0]!r}; a "
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
        for row in np.flatnonzero(~((array >= 0) & (array <= 1)).all(axis=1)):
            raise LabelError(
                int(row), f"expected a probability in [0, 1] for each class; got {array[row]}"
            )
        return array.astype("float32")

    def class_factors(self, weights):
        if not hasattr(weights, "items"):
            raise InputError(
                'class_weight: give "balanced", or a dict of factors by name or number of the '
                f"class; got {weights!r:.40}"
            )
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

    def balanced_factors(self, targets):
        counts = np.asarray(targets)
        if counts.ndim == 1:
            counts = np.eye(self.num_classes)[counts]
        counts = counts.sum(axis=0)
        found = counts > 0
        factors = np.ones(self.num_classes)
        factors[found] = counts.sum() / (found.sum() * counts[found])
        return factors.astype("float32")

    def outputs(self, logits):
        probabilities = softmax(np.asarray(logits, "float32") / np.float32(self.temperature))
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
        """Accuracy, the mean F1 of the classes that occur, of two classes the F1 of the second, and
        Matthews correlation: GLUE's, with `f1` for MRPC and QQP and the last for CoLA."""
        predicted, targets = np.asarray(outputs["label"]), _as_classes(targets)
        counts = confusion_matrix(targets, predicted, self.num_classes)
        right, answered, true = of_matrix(counts)
        seen, f1 = answered + true > 0, f1_scores(right, answered, true)
        return {
            "accuracy": float(np.mean(predicted == targets)),
            "macro_f1": float(f1[seen].mean()),
            **({"f1": float(f1[1])} if self.num_classes == 2 else {}),
            "matthews_correlation": matthews_correlation(counts),
        }

    def ranking_scores(self, targets):
        f1 = ("f1",) if self.num_classes == 2 else ()
        return ("accuracy", "macro_f1", *f1, "matthews_correlation")

    def details(self, outputs, targets):
        names, targets = self.label_names, _as_classes(targets)
        counts = confusion_matrix(targets, outputs["label"], self.num_classes)
        thresholds = ()
        if self.num_classes == 2:
            second = np.asarray(outputs["probabilities"])[:, 1]
            chosen = outputs.get("threshold", 0.5)
            thresholds = (threshold_of(names[1], targets == 1, second, chosen),)
        right = np.asarray(outputs["label"]) == targets
        reliable = reliability(outputs["score"], right)
        return Details(
            scores={"calibration_error": reliable.error},
            classes=class_scores(names, *of_matrix(counts)),
            confusions=(ConfusionMatrix("", names, counts),),
            thresholds=thresholds,
            reliability=reliable,
        )

    def calibrated(self, outputs, targets):
        temperature = fitted_temperature(outputs["logits"], targets)
        return dataclasses.replace(self, temperature=temperature)

    def at_threshold(self, outputs, threshold):
        """Of two classes, the second from this probability on."""
        if self.num_classes != 2:
            raise OptionError(
                "threshold",
                ": is for two classes or for labels that do not exclude one another; "
                f"here the likeliest of {self.num_classes} is the answer",
            )
        threshold = checked_threshold(threshold)
        probabilities = np.asarray(outputs["probabilities"])
        label = (probabilities[:, 1] >= np.float32(threshold)).astype("int32")
        score = np.take_along_axis(probabilities, label[:, None], axis=1)[:, 0]
        return {**outputs, "label": label, "score": score, "threshold": threshold}

    def all_scores(self, outputs):
        return scores_by_label(self.label_names, outputs["probabilities"])

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

    def to_dict(self):
        values = super().to_dict()
        if self.temperature == 1:  # as files had it before there were temperatures
            del values["temperature"]
        return values


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _as_classes(targets) -> np.ndarray:
    """The class of each row, of probabilities (rows, classes) the likeliest."""
    targets = np.asarray(targets)
    return targets.argmax(axis=1) if targets.ndim == 2 else targets
