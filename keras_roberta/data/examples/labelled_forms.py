"""The forms in which texts come together with their labels."""

from __future__ import annotations

from typing import Any

from keras_roberta.data.examples.named_columns import label_columns, named_columns
from keras_roberta.data.examples.text_forms import holds_strings, rows_of
from keras_roberta.errors import InputError


def with_labels(x: Any) -> tuple[Any, Any, Any]:
    """Data that brings its labels along as (x, labels, sample weights); None for what it lacks.

    Args:
        x: a tuple `(texts, labels)` or `(texts, labels, weights)`; a list of such pairs, one a row;
            a table with the columns `label` and, if there are weights, `sample_weight`, see
            `named_columns`; or texts alone.

    Raises:
        InputError: it can be read in several ways; says how to give it.

    >>> with_labels([("a", 1), ("b", 0)])
    (['a', 'b'], [1, 0], None)
    >>> with_labels(["a", "b"])
    (['a', 'b'], None, None)
    """
    columns = named_columns(x)
    if columns is not None:
        return x, *label_columns(columns)
    if isinstance(x, tuple) and len(x) in (2, 3) and not _are_texts(x):
        return (*x, None)[:3]
    if isinstance(x, list) and len(x) == 2 and _holds_several(x[0]) and not holds_strings(x[1]):
        return x[0], x[1], None  # [texts, labels]
    rows = rows_of(x)
    lengths = {len(row) for row in rows or ()}
    if lengths == {2}:
        firsts, labels = zip(*rows, strict=True)
        return list(firsts), list(labels), None
    if lengths - {1}:
        raise InputError(
            "fit takes rows of (text, label) or ((text, text_pair), label); found rows of "
            f"{', '.join(map(str, sorted(lengths)))} values"
        )
    return x, None, None


def validation_columns(data: Any) -> tuple[Any, Any, Any]:
    """x, y and sample_weight of validation data; Keras takes lists for tuples there.

    >>> validation_columns([["a", "b"], [1, 0]])
    (['a', 'b'], [1, 0], None)
    """
    if isinstance(data, list) and len(data) in (2, 3):
        if not any(isinstance(part, (str, bytes, tuple)) for part in data):
            data = tuple(data) if named_columns(data) is None else data
    if isinstance(data, tuple) and len(data) in (2, 3):
        return (*data, None)[:3]
    return data, None, None


def _are_texts(x):
    return all(isinstance(value, (str, bytes)) for value in x)


def _holds_several(x):
    return not isinstance(x, (str, bytes, tuple)) and holds_strings(x)
