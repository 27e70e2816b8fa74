"""The forms in which texts come whose words have labels, with their labels and without."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_roberta.data.examples.label_names import as_plain, is_ragged
from keras_roberta.data.examples.named_columns import SAMPLE_WEIGHT, named_columns
from keras_roberta.data.examples.words import Places, join_words
from keras_roberta.errors import InputError
from keras_roberta.tokenizers.texts import without_surrogates

WORDS, TEXTS = ("tokens", "words"), ("text", "sentence")
LABELS = ("tags", "ner_tags", "entities", "spans", "labels", "label")
_EXPECTED = (
    "expected texts: a list of strings, or a list with a list of words for each text; or a table "
    "with the column 'text' or 'tokens'"
)


def texts_and_words(x: Any) -> tuple[list[str], list[Places | None]]:
    """The texts of any form that they come in, and where their words lie, None where a text was
    given as such.

    Args:
        x: a string, or a list, array, column or batch of strings; or of lists of words, which
            become a text with spaces between them. Or a table, see `named_columns`, with a column
            `tokens` or `text`. Labels that come along are left out.

    Returns:
        texts, in which two surrogates are the character that they mean; and for each text the
        places of its words, see `words`, or None.

    Raises:
        InputError: names the row that is neither.

    >>> texts_and_words([["in", "Nuuk"], "in Nuuk"])
    (['in Nuuk', 'in Nuuk'], [[(0, 2), (3, 7)], None])
    """
    columns = named_columns(x)
    if columns is not None:
        name = next((name for name in (*WORDS, *TEXTS) if name in columns), None)
        others = [name for name in columns if name not in (*LABELS, SAMPLE_WEIGHT)]
        if name is None and len(others) == 1:
            (name,) = others
        if name is None:
            raise InputError(f"{_EXPECTED}; found {', '.join(map(repr, columns)) or 'nothing'}")
        x = columns[name]
    if isinstance(x, (str, bytes)):
        x = [x]
    texts, words = [], []
    for number, row in enumerate(rows_of_column(x)):
        text, places = _text_and_words(row, number)
        texts.append(text)
        words.append(places)
    return texts, words


def labels_apart(x: Any) -> tuple[Any, Any, Any]:
    """Data that brings its labels along as (x, labels, sample weights); None for what it lacks.

    Args:
        x: a tuple `(texts, labels)` or `(texts, labels, weights)`; a list of such pairs, one a row;
            or a table with a column of labels: `tags`, `ner_tags`, `entities` or `spans`. A tuple
            of strings is texts.

    >>> labels_apart([(["in", "Nuuk"], ["O", "B-LOC"])])
    ([['in', 'Nuuk']], [['O', 'B-LOC']], None)
    """
    columns = named_columns(x)
    if columns is not None:
        label = next((name for name in LABELS if name in columns), None)
        return x, columns.get(label), columns.get(SAMPLE_WEIGHT)
    if isinstance(x, tuple) and len(x) in (2, 3) and not isinstance(x[1], (str, bytes)):
        return (*x, None)[:3]
    if isinstance(x, list) and x and all(isinstance(row, tuple) and len(row) == 2 for row in x):
        if not all(isinstance(labels, (str, bytes)) for _, labels in x):
            texts, labels = zip(*x, strict=True)
            return list(texts), list(labels), None
    return x, None, None


def rows_of_column(values: Any) -> list:
    """The rows of a list, array, tensor or column of any library, each as it is."""
    if is_ragged(values):
        return values.to_list()
    if hasattr(values, "numpy"):
        values = values.numpy()
    if isinstance(values, np.ndarray):
        return list(values)
    for name in ("to_pylist", "to_list"):  # pyarrow; pandas, polars
        if hasattr(values, name):
            return getattr(values, name)()
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise InputError(f"{_EXPECTED}; found {values!r:.60}")
    return list(values)


def _text_and_words(row, number):
    row = as_plain(row)
    if isinstance(row, str):
        return without_surrogates(row), None
    if not isinstance(row, (list, tuple, np.ndarray)):
        raise InputError(f"row {number}: {_EXPECTED}; found {row!r:.60}")
    words = [as_plain(word) for word in row]
    for word in words:
        if not isinstance(word, str):
            raise InputError(f"row {number}: expected words, found {word!r:.60}")
    return join_words(map(without_surrogates, words))
