"""Exact match and F1 of answers, as SQuAD's official scripts compute them.

The scripts are `evaluate-v1.1.py` and `evaluate-v2.0.py` of https://rajpurkar.github.io/SQuAD-explorer
(Rajpurkar et al. 2016, 2018). They differ in answers of which nothing is left without articles
and punctuation: such a one shares no word with any other in 1.1, and equals another such one in
2.0. All figures are in percent.
"""

from __future__ import annotations

import collections
import dataclasses
import re
import string
from collections.abc import Sequence

import numpy as np

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


@dataclasses.dataclass(frozen=True)
class SquadScores:
    """How good each answer is, before any threshold.

    Attributes:
        exact: 0 or 1, float64 (questions,).
        f1: in [0, 1], float64 (questions,).
        has_answer: which questions the context answers, bool (questions,).
        is_empty: which were answered by "", bool (questions,).
        of_version_2: whether there are questions without an answer, which makes it SQuAD 2.0.
    """

    exact: np.ndarray
    f1: np.ndarray
    has_answer: np.ndarray
    is_empty: np.ndarray
    of_version_2: bool

    def at_threshold(self, no_answer: np.ndarray, threshold: float) -> SquadScores:
        """The same with "" in place of the answers whose `no_answer` is above a threshold.

        Args:
            no_answer: how likely it is that there is no answer, (questions,).
        """
        empty = np.asarray(no_answer) > threshold
        right = (~self.has_answer).astype("float64")
        return dataclasses.replace(
            self,
            exact=np.where(empty, right, self.exact),
            f1=np.where(empty, right, self.f1),
            is_empty=self.is_empty | empty,
        )

    def means(self) -> dict[str, float]:
        """`exact` and `f1` of all questions."""
        return {"exact": _percent(self.exact), "f1": _percent(self.f1)}

    def by_kind(self) -> dict[str, float]:
        """The same of the questions with an answer and of those without, by the names that the
        script of 2.0 prints."""
        found = {}
        for name, chosen in (("HasAns", self.has_answer), ("NoAns", ~self.has_answer)):
            if self.of_version_2 and chosen.any():
                found[f"{name}_exact"] = _percent(self.exact[chosen])
                found[f"{name}_f1"] = _percent(self.f1[chosen])
                found[f"{name}_total"] = int(chosen.sum())
        return found

    def best(self, no_answer: np.ndarray) -> dict[str, float]:
        """The thresholds of `at_threshold` with the largest means, and these, by the names that
        the script of 2.0 prints."""
        return {
            name: value
            for measure in ("exact", "f1")
            for name, value in self._best(measure, np.asarray(no_answer, "float64")).items()
        }

    def _best(self, measure, no_answer):
        # With a threshold of 0 every question is answered by ""; each raises it above one more.
        gains = np.where(self.has_answer, getattr(self, measure), -(~self.is_empty).astype(float))
        order = np.argsort(no_answer, kind="stable")
        right = (~self.has_answer).sum() + np.concatenate([[0.0], np.cumsum(gains[order])])
        best = int(right.argmax())
        threshold = float(no_answer[order[best - 1]]) if best else 0.0
        score = 100.0 * float(right[best]) / len(gains)
        return {f"best_{measure}": score, f"best_{measure}_thresh": threshold}


def squad_scores(answers: Sequence[str], references: Sequence[Sequence[str]]) -> SquadScores:
    """How good each answer is.

    Args:
        answers: one a question, "" for none.
        references: the right answers of each question, of which the nearest counts; none where the
            context has no answer.

    >>> squad_scores(["The Nuuk!", "in Nuuk"], [["Nuuk"], ["Oslo", "Nuuk"]]).means()["exact"]
    50.0
    """
    of_version_2 = not all(references)
    exact, f1 = np.zeros((2, len(answers)))
    for i, (answer, right) in enumerate(zip(answers, references, strict=True)):
        if of_version_2:
            right = [text for text in right if normalized(text)] or [""]
        exact[i] = max(exact_match(answer, text) for text in right)
        f1[i] = max(token_f1(answer, text, of_version_2) for text in right)
    return SquadScores(
        exact,
        f1,
        has_answer=np.array([bool(texts) for texts in references], bool),
        is_empty=np.array([answer == "" for answer in answers], bool),
        of_version_2=of_version_2,
    )


def normalized(text: str) -> str:
    """A text in lower case, without punctuation, articles and more than one space between words.

    >>> normalized("The  U.S.A., and an anthem")
    'usa and anthem'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, reference: str) -> bool:
    """Whether the normalized texts are the same."""
    return normalized(answer) == normalized(reference)


def token_f1(answer: str, reference: str, of_version_2: bool = True) -> float:
    """F1 of the words of an answer, as a bag, against those of a reference.

    Args:
        of_version_2: whether two texts without words are the same, as SQuAD 2.0 has it.

    >>> token_f1("the capital Nuuk", "Nuuk")
    0.6666666666666666
    """
    found, right = normalized(answer).split(), normalized(reference).split()
    if of_version_2 and not (found and right):
        return float(found == right)
    shared = sum((collections.Counter(found) & collections.Counter(right)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(found), shared / len(right)
    return 2 * precision * recall / (precision + recall)


def _percent(values):
    return 100.0 * float(np.mean(values))
