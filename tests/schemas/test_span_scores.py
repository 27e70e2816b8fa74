"""Precision, recall and F1 of spans, by hand and as seqeval gives them."""

import pytest

from keras_roberta.schemas.span_scores import SpanCounts
from keras_roberta.schemas.tag_schemes import TagScheme

BIO = TagScheme(("O", *(f"{p}-{x}" for x in ("LOC", "MISC", "ORG", "PER") for p in "BI")))
# Of the README of seqeval, and rows with a broken sequence, a border that is off, a wrong label.
TRUE = [
    "O O O B-MISC I-MISC I-MISC O",
    "B-PER I-PER O",
    "B-LOC O B-ORG I-ORG",
    "B-PER O O B-LOC",
]
FOUND = [
    "O O B-MISC I-MISC I-MISC I-MISC O",
    "B-PER I-PER O",
    "I-LOC O B-ORG O",
    "B-LOC O B-PER B-LOC",
]


def counted(true, found):
    spans = [[BIO.spans(row.split()) for row in rows] for rows in (found, true)]
    return SpanCounts.of(BIO.labels, *spans)


def test_scores_by_hand():
    """Of the first two rows: one span of two is right."""
    scores = counted(TRUE[:2], FOUND[:2]).scores()
    assert scores == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "macro_f1": 0.5}


def test_scores_are_those_of_seqeval():
    """seqeval 1.2.2, precision_score, recall_score, f1_score and classification_report."""
    counts = counted(TRUE, FOUND)
    scores = counts.scores()
    # Right: PER, LOC and LOC of 7 found; 6 are true.
    assert scores["precision"] == pytest.approx(3 / 7)
    assert scores["recall"] == pytest.approx(3 / 6)
    assert scores["f1"] == pytest.approx(0.46153846, abs=1e-8)
    assert scores["macro_f1"] == pytest.approx(0.325, abs=1e-8)
    by_label = {one.label: (one.precision, one.recall, one.f1, one.support)
                for one in counts.by_label()}  # fmt: skip
    assert by_label["LOC"] == pytest.approx((2 / 3, 1.0, 0.8, 2))
    assert by_label["MISC"] == (0.0, 0.0, 0.0, 1)
    assert by_label["PER"] == pytest.approx((0.5, 0.5, 0.5, 2))


def test_nothing_found():
    scores = counted(["B-PER O"], ["O O"]).scores()
    assert scores == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "macro_f1": 0.0}
    assert counted(["O"], ["O"]).scores()["f1"] == 0.0
