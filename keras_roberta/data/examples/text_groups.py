"""Texts that are compared with each other: single ones, pairs, pairs with hard negatives."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_roberta.data.examples.named_columns import (
    LABELS,
    SAMPLE_WEIGHT,
    named_columns,
    text_columns,
)
from keras_roberta.data.examples.text_forms import holds_strings, rows_of
from keras_roberta.errors import InputError
from keras_roberta.tokenizers.texts import as_texts

SCORES = ("score", *LABELS)
NEGATIVE = "negative"  # the beginning of a column's name
_EXPECTED = (
    "expected texts, pairs of texts or pairs with negatives: a list of strings, a tuple of such "
    "lists, a list of tuples, or a table with 'text', 'text_pair' and 'negative'"
)


@dataclasses.dataclass(frozen=True)
class TextGroups:
    """Columns of texts, as many texts in each.

    Attributes:
        columns: one for single texts; two for pairs; with hard negatives more.
        scores: what came along as numbers, or None: a score a pair, in any form of labels.
        weights: a second column of numbers, or one that a table calls so; or None.
    """

    columns: list[list[str]]
    scores: Any = None
    weights: Any = None

    @property
    def rows(self) -> list[str]:
        """All texts, those of the first group, of the second and so on."""
        return [text for group in zip(*self.columns, strict=True) for text in group]

    @property
    def texts_a_group(self) -> int:
        return len(self.columns)

    @property
    def numbers(self) -> np.ndarray:
        """A number for each text, the same for the same text: int32 (groups, texts a group)."""
        known: dict[str, int] = {}
        numbers = [known.setdefault(text, len(known)) for text in self.rows]
        return np.array(numbers, "int32").reshape(-1, self.texts_a_group)


@dataclasses.dataclass(frozen=True)
class _Weights:
    """A column that a table calls weights: no scores, even where there are no others."""

    values: Any


def text_groups(x: Any, y: Any = None, sample_weight: Any = None) -> TextGroups:
    """The columns of any form in which texts come.

    Args:
        x: a string; a list, array, tensor or column of strings; a tuple of two or more of them; a
            list of rows that are tuples; a table, see `named_columns`, with `text`, `text_pair`,
            any columns whose names begin with "negative", `score` or `label`, and `sample_weight`.
            The last one or two columns of a tuple or of rows may be numbers: scores and weights.
        y, sample_weight: further columns: texts or numbers, as streams bring them in this place.

    Raises:
        InputError: names the row that is no text, or says which forms there are.

    >>> text_groups([("a", "b", 0.5), ("c", "d", 1.0)])
    TextGroups(columns=[['a', 'c'], ['b', 'd']], scores=[0.5, 1.0], weights=None)
    >>> text_groups(["a", "c"], ["b", "d"]).rows
    ['a', 'b', 'c', 'd']
    """
    given = _columns(x)
    for column in (y, sample_weight):
        if column is not None:
            given += _columns(column) if holds_strings(column) else [column]
    texts, numbers, weights = [], [], []
    for column in given:
        if isinstance(column, _Weights):
            weights.append(column.values)
        # What comes first has to be text: `as_texts` says what is wrong with it otherwise.
        elif not texts or holds_strings(column):
            texts.append(column)
        else:
            numbers.append(column)
    if (count := len(numbers) + len(weights)) > 2:
        raise InputError(f"{_EXPECTED}; found {count} columns of numbers")
    columns = [as_texts(column)[0] for column in texts]
    if not columns:
        raise InputError(_EXPECTED)
    for number, column in enumerate(columns):
        if len(column) != len(columns[0]):
            raise InputError(
                f"column {number} has {len(column)} texts, and column 0 has {len(columns[0])}"
            )
    return TextGroups(columns, *([*numbers, *weights] if numbers else [None, *weights]))


def _columns(x) -> list:
    """Columns, each of texts or of numbers."""
    table = named_columns(x)
    if table is not None:
        return _columns_of_table(table)
    if isinstance(x, tuple) and not all(isinstance(value, (str, bytes)) for value in x):
        return [column for side in x for column in _columns(side)]
    rows = rows_of(x)
    if rows is None:
        return [x]
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        raise InputError(
            f"{_EXPECTED}; found rows of {', '.join(map(str, lengths))} values; give each row as "
            "many"
        )
    return [column for side in zip(*rows, strict=True) for column in _columns(list(side))]


def _columns_of_table(table: Mapping[str, Any]) -> list:
    text, text_pair = text_columns(table)
    found = [text]
    if text_pair is not None:
        found += [text_pair, *(table[name] for name in negative_columns(table))]
    scores = next((name for name in SCORES if name in table), None)
    if scores is not None and text_pair is not None and holds_strings(table[scores]):
        raise InputError(
            f"column {scores!r}: expected numbers, the scores of pairs; found text; leave it out "
            "where pairs just belong together"
        )
    # The names of classes of single texts say nothing here.
    if scores is not None and not holds_strings(table[scores]):
        found.append(table[scores])
    if SAMPLE_WEIGHT in table:
        found.append(_Weights(table[SAMPLE_WEIGHT]))
    return found


def negative_columns(names: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """The names of the columns that hold hard negatives."""
    return [name for name in names if name.startswith(NEGATIVE)]
