"""The forms in which texts come together with their labels."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from keras_roberta.data.examples.label_names import as_plain, flat_labels
from keras_roberta.data.examples.named_columns import label_columns, named_columns
from keras_roberta.data.examples.text_forms import (
    are_numbers,
    holds_several,
    holds_strings,
    leaves,
    rows_of,
)
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
    if isinstance(x, list) and len(x) == 2 and holds_several(x[0]) and not holds_strings(x[1]):
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
    """x, y and sample_weight of validation data; Keras takes lists for tuples there. Rows of texts
    with their labels stay as they are, for `with_labels`.

    >>> validation_columns([["a", "b"], [1, 0]])
    (['a', 'b'], [1, 0], None)
    >>> validation_columns([["a", 1], ["b", 0]])
    ([['a', 1], ['b', 0]], None, None)
    """
    if isinstance(data, list) and len(data) in (2, 3) and named_columns(data) is None:
        rows = rows_of(data) or ()
        are_rows = rows and all(len(row) == 2 and holds_strings(row[0]) for row in rows)
        if not are_rows and not any(isinstance(part, (str, bytes, tuple)) for part in data):
            data = tuple(data)
    if isinstance(data, tuple) and len(data) in (2, 3):
        return (*data, None)[:3]
    return data, None, None


def without_labels(x: Any, names: Collection[str] | None = None) -> Any:
    """Inputs without the labels that come along: numbers, or names of classes.

    Args:
        x: see `with_labels`. Second texts that are all names of classes are taken for labels, but
            for those under `text_pair` in a table.
        names: of the classes, or None.

    >>> without_labels((["a", "b"], ["good", "bad"]), ("bad", "good"))
    ['a', 'b']
    >>> without_labels((["a", "b"], ["good", "c"]), ("bad", "good"))
    (['a', 'b'], ['good', 'c'])
    """
    if named_columns(x) is not None:
        return x
    try:
        texts, labels, _ = with_labels(x)
    except InputError:  # whoever takes the texts says in other words what is wrong
        return x
    return texts if are_numbers(labels) or _are_names(labels, names or ()) else x


def _are_names(labels, names):
    """Whether there are labels, each a name or a list of names."""
    if labels is None:
        return False
    found = [as_plain(label) for label in leaves(flat_labels(labels))]
    return bool(found) and all(isinstance(label, str) and label in names for label in found)


def _are_texts(x):
    return all(isinstance(value, (str, bytes)) for value in x)
