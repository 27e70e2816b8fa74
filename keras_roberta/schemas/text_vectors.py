"""A vector for each text: like texts have a large cosine."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from keras_roberta.data.examples.label_names import LabelError, flat_labels
from keras_roberta.data.examples.named_columns import TEXT_PAIR
from keras_roberta.data.examples.table_files import as_number
from keras_roberta.data.examples.text_groups import TextGroups, negative_columns, text_groups
from keras_roberta.errors import InputError
from keras_roberta.options import OptionError
from keras_roberta.schemas.comparison import Comparison
from keras_roberta.schemas.metrics import Details, rank_correlation
from keras_roberta.schemas.schema import Schema
from keras_roberta.schemas.table_targets import check_texts
from keras_roberta.schemas.text_search import single_texts
from keras_roberta.schemas.vector_search import pair_cosines, ranks_of_seconds

_RECALLS = (5, 10)  # besides recall at 1


@dataclasses.dataclass(frozen=True)
class TextVectors(Schema):
    """Vectors of texts, learnt and measured on pairs.

    A pair may have a score, how like its texts are. Pairs without scores belong together; a third
    text and further ones are hard negatives of the first.

    Attributes:
        prefix: in front of each text before it is tokenised.
        corpus_prefix: put in front of second texts, negatives and texts that are searched, in
            place of `prefix`; None for the same prefix.
        score_range: the least and the largest score, which are learnt as 0 and 1; None where scores
            are cosines, from -1 to 1.
    """

    prefix: str = ""
    corpus_prefix: str | None = None
    score_range: tuple[float, float] | None = None

    name: ClassVar[str] = "text-vectors"
    main_score: ClassVar[str] = "spearman"  # where pairs have scores
    takes_pairs: ClassVar[bool] = False
    label_columns: ClassVar[tuple[str, ...]] = ("score", "label")
    settings: ClassVar[tuple[str, ...]] = ("pooling", "prefix", "corpus_prefix")

    def __post_init__(self):
        if self.score_range is not None:
            object.__setattr__(self, "score_range", checked_range(self.score_range))

    # From tables and Python data

    @classmethod
    def from_table(cls, table, columns, *, num_classes=None):
        if num_classes is not None:
            raise OptionError("num_classes", f"{num_classes}: an embedder has no classes")
        schema = cls()
        if len(schema._groups(table, columns).columns) < 2:
            raise InputError(
                f"{table.path}: an embedder learns from pairs: name the second texts text_pair or "
                f"say --text-pair-column; there are {table.names}"
            )
        column = schema._score_column(table, columns)
        if column is None:
            return schema
        try:
            return cls(score_range=_range_of(table.numbers(column, "--label-column")))
        except InputError as error:
            raise InputError(f"{table.path}, column {column!r}: {error}") from None

    @classmethod
    def needs_no_labels(cls, table, columns):
        return columns.text_pair is not None or TEXT_PAIR in table.columns

    def _score_column(self, table, columns):
        if columns.label is not None:
            return columns.label
        return next((name for name in self.label_columns if name in table.columns), None)

    def _groups(self, table, columns, prefix="--") -> TextGroups:
        texts = super().read_inputs(table, columns, prefix=prefix)
        if not isinstance(texts, tuple):
            return TextGroups([texts])
        negatives = [table.texts(name) for name in negative_columns(table.columns)]
        return TextGroups([*texts, *negatives])

    def read_inputs(self, table, columns, *, prefix="--"):
        """A list of texts, or a tuple of such lists: firsts, seconds and hard negatives."""
        found = self._groups(table, columns, prefix).columns
        return tuple(found) if len(found) > 1 else found[0]

    def read_targets(self, table, columns, *, prefix="--"):
        """Scores, float32 (pairs,); without a column of them numbers, int32 (pairs, 2 or more)."""
        groups = self._groups(table, columns, prefix)
        if groups.texts_a_group < 2:
            raise InputError(
                f"{table.path}: holds no pairs to measure with; name the second texts text_pair or "
                f"say {prefix}text-pair-column"
            )
        if self._score_column(table, columns) is None:
            check_texts(self.read_inputs(table, columns, prefix=prefix), table)
            return groups.numbers
        return super().read_targets(table, columns, prefix=prefix)

    def read_labels(self, table, column, option):
        return table.numbers(column, option)

    def targets(self, labels):
        """Scores, float32 (pairs,); numbers of texts, whole numbers (pairs, 2 or more), as they
        are."""
        array = np.asarray(labels) if hasattr(labels, "ndim") else None
        if array is not None and array.ndim == 2 and array.shape[1] > 1:
            return array
        scores = []
        for row, value in enumerate(flat_labels(labels)):
            value = value[0] if isinstance(value, list) and len(value) == 1 else value
            number = None if isinstance(value, str) else as_number(value)
            if number is None:
                raise LabelError(row, f"expected the score of a pair, a number; got {value!r:.60}")
            scores.append(number)
        return np.array(scores, "float32")

    def with_dev_targets(self, targets, dev_targets):
        """Where only the dev pairs have scores, with the range of these."""
        if dev_targets.ndim > 1 or self.score_range is not None:
            return self
        score_range = _range_of(dev_targets.tolist())
        if targets.ndim == 1 and score_range is not None:
            raise InputError(
                "the scores of the training data are cosines, from -1 to 1, and those of the dev "
                f"data are from {score_range[0]:g} to {score_range[1]:g}; give both one scale"
            )
        return dataclasses.replace(self, score_range=score_range)

    # Rows of a model, and groups of them

    def texts_of(self, asked):
        """Of pairs all texts, one after the other."""
        groups = text_groups(asked)
        if groups.texts_a_group > 1 and self.corpus_prefix not in (None, self.prefix):
            raise InputError(
                "the sides of a pair have prefixes of their own, and an exported file has one; "
                "give the sides apart, each to a file with its prefix"
            )
        return groups.rows, None

    def vectors_of(self, texts, predict, *, of_corpus=False):
        if of_corpus and self.corpus_prefix not in (None, self.prefix):
            raise InputError(
                "the file puts the prefix of queries in front of texts, and those that are "
                "searched have another; give their vectors, of a file that was exported with it"
            )
        return predict(single_texts(texts))["vector"]

    def with_texts(self, outputs, asked):
        """The vectors of pairs as (pairs, 2 or more, size)."""
        vectors = np.asarray(outputs["vector"])
        if vectors.ndim == 3 or (isinstance(asked, dict) and "token_ids" in asked):
            return outputs
        texts = text_groups(asked).texts_a_group
        if texts == 1:
            return outputs
        return {**outputs, "vector": vectors.reshape(-1, texts, vectors.shape[-1])}

    # To people

    def outputs(self, logits):
        return {"vector": np.asarray(logits)}

    def answers(self, outputs):
        """The `vector` of a text; of a pair the `score`, their cosine."""
        vectors = np.asarray(outputs["vector"])
        if vectors.ndim == 3:
            return [{"score": score} for score in pair_cosines(vectors).tolist()]
        return [{"vector": vector} for vector in vectors.astype("float64").tolist()]

    def labels_of(self, answers):
        """Scores of pairs, from their cosines."""
        if not all("score" in answer for answer in answers):
            raise InputError("holds single texts; give pairs, whose cosines can be learnt")
        least, most = self.score_range or (0.0, 1.0)
        return [least + (most - least) * answer["score"] for answer in answers]

    def scores(self, outputs, targets):
        """Of pairs with scores Spearman's and Pearson's correlation with the cosines; of others how
        often the second text is the nearest to the first, and the mean reciprocal rank."""
        if targets.ndim == 1:
            values, targets = pair_cosines(outputs["vector"]), np.asarray(targets, "float64")
            varied = np.ptp(values) > 0 and np.ptp(targets) > 0
            return {
                "spearman": rank_correlation(values, targets),
                "pearson": float(np.corrcoef(values, targets)[0, 1]) if varied else None,
            }
        ranks = ranks_of_seconds(outputs["vector"], targets)
        return {"recall_at_1": float(np.mean(ranks == 1)), "mrr": float(np.mean(1 / ranks))}

    @classmethod
    def main_score_of(cls, targets):
        return cls.main_score if targets.ndim == 1 else "mrr"

    def ranking_scores(self, targets):
        return ("spearman", "pearson") if targets.ndim == 1 else ("recall_at_1", "mrr")

    def details(self, outputs, targets):
        if targets.ndim == 1:
            if self.score_range is None and np.abs(targets).max() > 1:
                return Details()  # scores that no cosine can be compared with
            least, most = self.score_range or (0.0, 1.0)
            wanted = (np.asarray(targets, "float64") - least) / (most - least)
            errors = pair_cosines(outputs["vector"]) - wanted
            return Details(scores={"mse": float(np.mean(errors**2))})
        ranks = ranks_of_seconds(outputs["vector"], targets)
        return Details(scores={f"recall_at_{k}": float(np.mean(ranks <= k)) for k in _RECALLS})

    def compare(self, found, expected):
        """Half the largest distance of two vectors, as a share of the expected one's length: 0 for
        the same vector, 1 for the opposite one."""
        found, expected = (np.asarray(part["vector"], "float64") for part in (found, expected))
        lengths = np.maximum(np.linalg.norm(expected, axis=-1), 1e-12)
        changes = np.linalg.norm(found - expected, axis=-1) / lengths / 2
        return Comparison(None, float(np.max(np.nan_to_num(changes, nan=np.inf), initial=0.0)))

    # Kept in files

    def task_settings(self):
        return {"score_range": self.score_range}

    def settings_with_head(self, saved):
        return self.task_settings()


def _range_of(scores):
    """The least and the largest score; None where they are cosines."""
    least, most = min(scores), max(scores)
    if -1 <= least <= most <= 1:
        return None
    if least == most:
        raise InputError(f"all scores are {least:g}, which is no cosine; give scores that differ")
    return least, most


def checked_range(score_range) -> tuple[float, float]:
    """Raises an InputError unless it is two finite numbers, the smaller first."""
    try:
        least, most = map(float, score_range)
    except (TypeError, ValueError):
        least, most = 0.0, 0.0
    if not (np.isfinite([least, most]).all() and least < most):
        raise OptionError("score_range", f": expected (least, most); got {score_range!r:.60}")
    return least, most
