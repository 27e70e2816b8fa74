"""What can be said of answers whose labels are known: class by class, and by threshold.

The formulas are those of scikit-learn's `precision_recall_fscore_support` and `confusion_matrix`,
which tests compare with. They are written out here since importing them takes longer than a small
model takes to answer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_roberta.options import OptionError
from keras_roberta.schemas.calibration import Reliability


@dataclasses.dataclass(frozen=True)
class ClassScores:
    """How well one class is found.

    Attributes:
        label: the class.
        precision, recall, f1: in [0, 1]; 0 where there is nothing to divide by.
        support: texts that have the label.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclasses.dataclass(frozen=True)
class ConfusionMatrix:
    """How often answers of one kind were given where others were right.

    Attributes:
        title: what the classes are of, "" where there is one matrix.
        labels: names of the classes.
        counts: int (classes, classes); a row a true class, a column an answer.
    """

    title: str
    labels: tuple[str, ...]
    counts: np.ndarray


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A probability from which a label is given, and the best one on the texts at hand.

    Attributes:
        label: which is given.
        chosen, f1: the threshold in force, and the label's F1 with it.
        best, best_f1: the one with the largest F1. It was chosen on these texts: on others it will
            do less well, so measure it there.
    """

    label: str
    chosen: float
    f1: float
    best: float
    best_f1: float


@dataclasses.dataclass(frozen=True)
class Details:
    """What `Schema.scores` sums up, in full; each is empty where a task has no such thing.

    Attributes:
        scores: further scores, by name.
        classes: a `ClassScores` a class.
        confusions: one matrix, or one a label where labels do not exclude one another.
        thresholds: a `Threshold` for each label that has one.
        reliability: how often answers of like probability are right, or None.
    """

    scores: dict[str, float | None] = dataclasses.field(default_factory=dict)
    classes: tuple[ClassScores, ...] = ()
    confusions: tuple[ConfusionMatrix, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    reliability: Reliability | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: `scores` beside all that is not empty."""
        found = {
            "classes": [dataclasses.asdict(one) for one in self.classes],
            "confusion": [
                {"title": m.title, "labels": list(m.labels), "counts": m.counts.tolist()}
                for m in self.confusions
            ],
            "thresholds": [dataclasses.asdict(one) for one in self.thresholds],
            "reliability": self.reliability and self.reliability.to_dict(),
        }
        return {**self.scores, **{name: value for name, value in found.items() if value}}


def confusion_matrix(targets: np.ndarray, answers: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts of (true class, answer): int64 (num_classes, num_classes).

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    cells = np.asarray(targets, np.int64) * num_classes + np.asarray(answers, np.int64)
    counts = np.bincount(cells.reshape(-1), minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def marks_confusion(targets: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The same for each of several labels: int64 (labels, 2, 2), of marks 0 and 1 (rows, labels).

    >>> marks_confusion(np.array([[1, 0], [1, 1]]), np.array([[1, 1], [0, 1]])).tolist()
    [[[0, 0], [1, 1]], [[0, 1], [0, 1]]]
    """
    targets, given = np.asarray(targets, bool), np.asarray(given, bool)
    return np.array([confusion_matrix(t, g, 2) for t, g in zip(targets.T, given.T, strict=True)])


def class_scores(
    labels: Sequence[str], right: np.ndarray, answered: np.ndarray, support: np.ndarray
) -> tuple[ClassScores, ...]:
    """Scores of each class.

    Args:
        labels: names.
        right: how often each was answered and true, int (classes,).
        answered: how often each was answered.
        support: how often each is true.
    """
    precision, recall = _ratio(right, answered), _ratio(right, support)
    f1 = f1_scores(right, answered, support)
    return tuple(
        ClassScores(label, float(p), float(r), float(f), int(s))
        for label, p, r, f, s in zip(labels, precision, recall, f1, support, strict=True)
    )


def f1_scores(right, answered, support) -> np.ndarray:
    """2 * right / (answered + support), 0 where both are 0."""
    return _ratio(2 * np.asarray(right), np.asarray(answered) + np.asarray(support))


def of_matrix(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often each class was right, answered and true: each int (classes,)."""
    return np.diagonal(counts), counts.sum(axis=0), counts.sum(axis=1)


def of_marks(targets, given) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of marks 0 and 1, (rows, labels)."""
    targets, given = np.asarray(targets, bool), np.asarray(given, bool)
    return (targets & given).sum(axis=0), given.sum(axis=0), targets.sum(axis=0)


def matthews_correlation(counts: np.ndarray) -> float:
    """Matthews correlation coefficient, of several classes R_K (Gorodkin, 2004, equation 8); 0
    where all answers, or all true classes, are one.

    Args:
        counts: as `confusion_matrix` gives them.

    >>> [matthews_correlation(np.array(counts)) for counts in ([[3, 0], [0, 1]], [[3, 0], [1, 0]])]
    [1.0, 0.0]
    """
    right, answered, true = (one.astype("float64") for one in of_matrix(counts))
    rows = true.sum()
    together = right.sum() * rows - answered @ true
    apart = (rows**2 - answered @ answered) * (rows**2 - true @ true)
    return float(together / np.sqrt(apart)) if apart > 0 else 0.0


def best_threshold(is_true: np.ndarray, probabilities: np.ndarray) -> tuple[float, float]:
    """The threshold with the largest F1, half-way between two probabilities, and that F1.

    Of several as good the one nearest to 0.5.

    Args:
        is_true: bool (rows,).
        probabilities: float (rows,), from which on the label is given.

    >>> best_threshold(np.array([True, True, False]), np.array([0.9, 0.4, 0.2]))
    (0.3, 1.0)
    """
    is_true, probabilities = np.asarray(is_true, bool), np.asarray(probabilities, "float64")
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    right = np.cumsum(is_true[order])
    # A threshold cannot part rows of one probability.
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    f1 = f1_scores(right[last], last + 1, np.full(len(last), is_true.sum()))
    below = np.append(ranked, 0.0)[last + 1]
    thresholds = np.clip((ranked[last] + below) / 2, 1e-6, 1 - 1e-6)
    best = min(np.flatnonzero(f1 == f1.max()), key=lambda i: abs(thresholds[i] - 0.5))
    return round(float(thresholds[best]), 6), float(f1[best])


def threshold_of(label: str, is_true, probabilities, chosen: float) -> Threshold:
    """The `Threshold` of a label, see `best_threshold`."""
    right, given, true = of_marks(is_true, np.asarray(probabilities) >= np.float32(chosen))
    f1 = float(f1_scores(right, given, true))
    return Threshold(label, float(chosen), f1, *best_threshold(is_true, probabilities))


def checked_threshold(threshold: float, name: str = "threshold") -> float:
    """Raises an InputError, which names the argument, unless a threshold is a probability."""
    is_number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    if not is_number or not 0 < threshold < 1:
        raise OptionError(name, f": give a probability between 0 and 1; got {threshold!r}")
    return threshold


def rank_correlation(x, y) -> float | None:
    """Spearman's: the correlation of ranks, equal values having their mean rank; None where one
    does not vary.

    >>> f"{rank_correlation([1, 2, 3], [1, 4, 9]):.3f}"
    '1.000'
    """
    x, y = _ranks(x), _ranks(y)
    if not (np.ptp(x) and np.ptp(y)):
        return None
    return float(np.corrcoef(x, y)[0, 1])


def _ranks(values):
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def _ratio(part, whole):
    part, whole = np.asarray(part, "float64"), np.asarray(whole, "float64")
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
