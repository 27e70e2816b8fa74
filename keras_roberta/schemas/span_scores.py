"""How many labelled spans are found: precision, recall and F1 as conlleval and seqeval count.

A span is right if its begin, its end and its label are (Tjong Kim Sang and De Meulder, 2003,
section 2.3). Counts are added up over all texts (micro) before they are divided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from keras_roberta.schemas.metrics import ClassScores, class_scores, f1_scores
from keras_roberta.schemas.tag_schemes import Span


class SpanCounts(NamedTuple):
    """By label, int (labels,) each: spans that were found and true, found, and true."""

    labels: tuple[str, ...]
    right: np.ndarray
    found: np.ndarray
    true: np.ndarray

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        found: Iterable[Sequence[Span]],
        true: Iterable[Sequence[Span]],
    ) -> SpanCounts:
        """Counts the spans of texts, one list a text.

        >>> counts = SpanCounts.of(["A"], [[Span(0, 1, "A")]], [[Span(0, 2, "A")]])
        >>> counts.right, counts.found
        (array([0]), array([1]))
        """
        tables = Counter(), Counter(), Counter()
        for of_text, in_truth in zip(found, true, strict=True):
            sets = set(of_text), set(in_truth)
            for table, spans in zip(tables, (sets[0] & sets[1], *sets), strict=True):
                table.update(span.label for span in spans)
        columns = (np.array([table[label] for label in labels], np.int64) for table in tables)
        return cls(tuple(labels), *columns)

    def scores(self) -> dict[str, float]:
        """`precision`, `recall` and `f1` over all spans, and the mean of the labels' F1 scores,
        without labels that were neither found nor true."""
        right, found, true = (int(counts.sum()) for counts in self[1:])
        seen = self.found + self.true > 0
        by_label = f1_scores(self.right, self.found, self.true)[seen]
        return {
            "precision": right / found if found else 0.0,
            "recall": right / true if true else 0.0,
            "f1": float(f1_scores(right, found, true)),
            "macro_f1": float(by_label.mean()) if seen.any() else 0.0,
        }

    def by_label(self) -> tuple[ClassScores, ...]:
        """The scores of each label; `support` is its number of true spans."""
        return class_scores(self.labels, self.right, self.found, self.true)
