"""Tables in memory: columns by name, whatever library holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_roberta.errors import InputError

TEXT, TEXT_PAIR, SAMPLE_WEIGHT = "text", "text_pair", "sample_weight"
LABELS = ("label", "labels")


def named_columns(data: Any) -> dict[str, Any] | None:
    """The columns of a table in memory; None where `data` is no table.

    Args:
        data: a dict of columns, a list of dicts (one a row), or a table of pandas, polars, pyarrow
            or datasets. None of these libraries is needed.

    Raises:
        InputError: the table is a query that has not been run.

    >>> named_columns([{"text": "a", "label": 1}, {"text": "b"}])
    {'text': ['a', 'b'], 'label': [1, None]}
    """
    if isinstance(data, Mapping):
        return dict(data)
    if hasattr(data, "collect") and hasattr(data, "collect_schema"):  # a LazyFrame of polars
        raise InputError(f"a {type(data).__name__} holds no rows yet; give its .collect()")
    names = getattr(data, "column_names", None)
    names = getattr(data, "columns", None) if names is None else names
    if names is not None and hasattr(data, "__getitem__"):
        return {str(name): data[name] for name in names}
    if isinstance(data, (list, tuple)) and data and all(isinstance(row, Mapping) for row in data):
        names = dict.fromkeys(name for row in data for name in row)  # in the order of first sight
        return {name: [row.get(name) for row in data] for name in names}
    return None


def text_columns(columns: Mapping[str, Any]) -> tuple[Any, Any]:
    """The texts and the second texts, or None, among named columns.

    They are under `text` and `text_pair`; a single column that is no label may have any name.

    Raises:
        InputError: no column is known to hold the texts.
    """
    if TEXT in columns:
        return columns[TEXT], columns.get(TEXT_PAIR)
    others = [name for name in columns if name not in (*LABELS, SAMPLE_WEIGHT)]
    if len(others) == 1 and others != [TEXT_PAIR]:
        return columns[others[0]], None
    raise InputError(
        f"expected texts under {TEXT!r}; found {', '.join(map(repr, columns)) or 'nothing'}"
    )


def label_columns(columns: Mapping[str, Any]) -> tuple[Any, Any]:
    """The labels and the weights among named columns, None for what is not there."""
    label = next((name for name in LABELS if name in columns), None)
    return columns.get(label), columns.get(SAMPLE_WEIGHT)
