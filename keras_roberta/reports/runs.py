"""Several runs of one training: as a table for the terminal, as files, as a picture."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from keras_roberta.reports.write import write_json

JSON_NAME, TABLE_NAME, PICTURE_NAME = "runs.json", "runs.tsv", "runs.png"


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A run and what came of it.

    Attributes:
        learning_rate, seed: what it was made with.
        score: of its best epoch, larger is better; None where it is no number.
        best_epoch: the number of that, from 1.
        seconds: of training.
    """

    learning_rate: float
    seed: int
    score: float | None
    best_epoch: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Setting:
    """The runs that differ in their seed alone.

    Attributes:
        learning_rate: of all of them.
        scores: those that are numbers.
    """

    learning_rate: float
    scores: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        return float(np.mean(self.scores)) if self.scores else None

    @property
    def spread(self) -> float | None:
        """The standard deviation of the sample; None of fewer than two."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else None


def by_setting(runs: Sequence[FinishedRun]) -> list[Setting]:
    """The settings, in the order in which they come first."""
    scores: dict[float, list[float]] = {}
    for run in runs:
        of_rate = scores.setdefault(run.learning_rate, [])
        if run.score is not None:
            of_rate.append(run.score)
    return [Setting(rate, tuple(found)) for rate, found in scores.items()]


def runs_table(runs: Sequence[FinishedRun]) -> Table:
    """A row a run."""
    table = _table("learning rate", "seed", "score", "best epoch", "seconds")
    for run in runs:
        cells = (f"{run.learning_rate:g}", str(run.seed), _three(run.score))
        table.add_row(*cells, str(run.best_epoch), f"{run.seconds:.0f}")
    return table


def settings_table(runs: Sequence[FinishedRun]) -> Table:
    """A row a setting: mean and standard deviation over its seeds."""
    table = _table("learning rate", "runs", "mean score", "spread")
    for one in by_setting(runs):
        cells = (f"{one.learning_rate:g}", str(len(one.scores)), _three(one.mean))
        table.add_row(*cells, _three(one.spread))
    return table


def write_runs(directory: Path, runs: Sequence[FinishedRun], score: str, title: str) -> None:
    """Writes `runs.json`, `runs.tsv` and `runs.png` into a directory."""
    from keras_roberta.reports.runs_picture import draw_runs  # Matplotlib is slow to import

    settings = by_setting(runs)
    found = [
        {"learning_rate": s.learning_rate, "mean": s.mean, "spread": s.spread} for s in settings
    ]
    values = {"score": score, "runs": [run.to_dict() for run in runs], "settings": found}
    write_json(directory / JSON_NAME, values)
    with open(directory / TABLE_NAME, "w", newline="", encoding="utf-8") as file:
        columns = [field.name for field in dataclasses.fields(FinishedRun)]
        writer = csv.DictWriter(file, columns, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(run.to_dict() for run in runs)
    columns = [(f"{s.learning_rate:g}", s.scores) for s in settings]
    draw_runs(directory / PICTURE_NAME, columns, score, title)


def _table(*columns):
    table = Table(box=None, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _three(value):
    return "–" if value is None or not math.isfinite(value) else f"{value:.3f}"
