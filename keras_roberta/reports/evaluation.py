"""What was measured of a model on a table: as JSON, as tables for the terminal, as a picture."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from keras_roberta.files.atomic_write import atomic_directory
from keras_roberta.reports.write import write_json
from keras_roberta.schemas.calibration import Reliability
from keras_roberta.schemas.metrics import ConfusionMatrix, Details

JSON_NAME = "evaluation.json"
CONFUSION, CLASSES, RELIABILITY = "confusion.png", "classes.png", "reliability.png"
# A matrix of more classes does not fit a terminal; its largest cells are listed.
_MOST_COLUMNS, _MOST_CONFUSIONS = 10, 10


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How good a model's answers are.

    Attributes:
        rows: how many texts.
        scores: by name, as `Schema.scores` gives them.
        details: as `Schema.details` gives them.
    """

    rows: int
    scores: dict[str, float | None]
    details: Details

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"rows": self.rows, **self.scores, **self.details.to_dict()}

    @property
    def summary(self) -> dict[str, Any]:
        """The figures that stand on a line each."""
        return {"rows": self.rows, **self.scores, **self.details.scores}

    def tables(self) -> dict[str, Table]:
        """Rich tables of the classes, the thresholds and what was taken for what, by title."""
        tables, matrices = {}, self.details.confusions
        if self.details.classes:
            tables["by class"] = _classes(self.details.classes)
        if self.details.thresholds:
            title = "thresholds; the best is chosen on these texts, so try it on others"
            tables[title] = _thresholds(self.details.thresholds)
        if len(matrices) > 1:
            tables["labels given and not given"] = _errors_by_label(matrices)
        elif matrices and len(matrices[0].labels) <= _MOST_COLUMNS:
            tables["confusion; a row a true class, a column an answer"] = _matrix(*matrices)
        elif matrices:
            tables["what was most often taken for what"] = _most_common(*matrices)
        return tables


def write_evaluation(
    directory: str | Path,
    evaluation: Evaluation,
    title: str,
    *,
    before: Reliability | None = None,
) -> None:
    """Writes `evaluation.json` and, of what there is, pictures.

    Of classes `classes.png` and `confusion.png`, of probabilities of answers `reliability.png`.

    Args:
        before: the reliability before a calibration, to stand beside.
    """
    details = evaluation.details
    pictures = [CONFUSION, CLASSES, RELIABILITY]
    with atomic_directory(directory, last=JSON_NAME, replaces=pictures) as temporary:
        write_json(temporary / JSON_NAME, evaluation.to_dict())
        # Matplotlib is slow to import.
        if details.confusions:
            from keras_roberta.reports.confusion_picture import draw_confusions

            draw_confusions(temporary / CONFUSION, details.confusions, title)
        if details.classes:
            from keras_roberta.reports.class_bars import draw_classes

            draw_classes(temporary / CLASSES, details.classes, title)
        if details.reliability is not None:
            from keras_roberta.reports.reliability_picture import draw_reliability

            panels = {"": details.reliability}
            if before is not None:
                panels = {"before: ": before, "after: ": details.reliability}
            draw_reliability(temporary / RELIABILITY, panels, title)


def _table(*columns):
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column(columns[0])
    for column in columns[1:]:
        table.add_column(Text(column), justify="right")
    return table


def _classes(classes):
    table = _table("class", "precision", "recall", "F1", "texts")
    for one in classes:
        figures = (f"{value:.3f}" for value in (one.precision, one.recall, one.f1))
        table.add_row(Text(one.label), *figures, str(one.support))
    return table


def _thresholds(thresholds):
    table = _table("given", "threshold", "F1", "best", "its F1")
    for one in thresholds:
        table.add_row(
            Text(one.label),
            *(f"{value:.3f}" for value in (one.chosen, one.f1, one.best, one.best_f1)),
        )
    return table


def _matrix(matrix: ConfusionMatrix):
    table = _table("", *matrix.labels)
    for label, counts in zip(matrix.labels, matrix.counts, strict=True):
        table.add_row(Text(label), *map(str, counts))
    return table


def _most_common(matrix: ConfusionMatrix):
    """The mistakes that were made most often."""
    table = _table("true class", "answer", "texts")
    cells = [
        (int(count), true, answer)
        for true, counts in enumerate(matrix.counts)
        for answer, count in enumerate(counts)
        if count and true != answer
    ]
    for count, true, answer in sorted(cells, key=lambda cell: -cell[0])[:_MOST_CONFUSIONS]:
        table.add_row(Text(matrix.labels[true]), Text(matrix.labels[answer]), str(count))
    return table


def _errors_by_label(matrices):
    table = _table("label", "rightly given", "wrongly given", "missed", "rightly not given")
    for matrix in matrices:
        (not_given, wrong), (missed, right) = matrix.counts
        table.add_row(Text(matrix.title), *map(str, (right, wrong, missed, not_given)))
    return table
