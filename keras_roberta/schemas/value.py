"""A number for each text."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from keras_roberta.data.examples.label_names import LabelError, flat_labels
from keras_roberta.options import OptionError
from keras_roberta.schemas.comparison import Comparison, changed_by
from keras_roberta.schemas.metrics import Details, rank_correlation
from keras_roberta.schemas.schema import Schema


@dataclasses.dataclass(frozen=True)
class Value(Schema):
    """A real number, such as a degree of likeness or a price."""

    name: ClassVar[str] = "value"
    main_score: ClassVar[str] = "pearson"
    training_options: ClassVar[frozenset[str]] = frozenset({"r_drop"})

    @classmethod
    def from_table(cls, table, columns, *, num_classes=None):
        if num_classes is not None:
            raise OptionError("num_classes", f"{num_classes}: a regression has no classes")
        table.numbers(cls.label_column(table, columns), "--label-column")
        return cls()

    def read_labels(self, table, column, option):
        return table.numbers(column, option)

    def targets(self, labels):
        values = flat_labels(labels)
        for row, value in enumerate(values):
            if isinstance(value, list) and len(value) == 1:  # a column of a matrix
                values[row] = value = value[0]
            with np.errstate(over="ignore"):
                number = _number(value)
            if isinstance(value, str) or not np.isfinite(number):
                raise LabelError(row, f"a regression learns finite numbers; got {value!r}")
        return np.array(values, "float32")

    def outputs(self, logits):
        logits = np.asarray(logits)
        return {"logits": logits, "value": logits.reshape(-1)}

    def answers(self, outputs):
        return [{"score": float(value)} for value in outputs["value"]]

    def labels_of(self, answers):
        return [answer["score"] for answer in answers]

    def scores(self, outputs, targets):
        values = np.asarray(outputs["value"], "float64")
        targets = np.asarray(targets, "float64")
        varied = np.ptp(values) > 0 and np.ptp(targets) > 0
        return {
            "mse": float(np.mean((values - targets) ** 2)),
            "pearson": float(np.corrcoef(values, targets)[0, 1]) if varied else None,
            "spearman": rank_correlation(values, targets) if varied else None,
        }

    def ranking_scores(self, targets):
        return ("pearson", "spearman")

    def details(self, outputs, targets):
        values = np.asarray(outputs["value"], "float64")
        targets = np.asarray(targets, "float64")
        return Details(scores={"mae": float(np.mean(np.abs(values - targets)))})

    def compare(self, found, expected):
        scale = max(1.0, float(np.max(np.abs(expected["value"]), initial=0.0)))
        return Comparison(None, changed_by(found["value"], expected["value"]) / scale)


def _number(value):
    try:
        return np.float32(float(value))  # as it is learnt
    except (TypeError, ValueError, OverflowError):
        return np.nan
