"""The forms in which texts and pairs of texts come. A tuple holds columns, a list holds rows."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from keras_roberta.data.examples.label_names import flat_labels
from keras_roberta.data.examples.named_columns import named_columns, text_columns
from keras_roberta.errors import InputError
from keras_roberta.tokenizers.texts import as_texts

EXPECTED = (
    "expected texts: a list of strings, a pair (firsts, seconds) of lists, or a table with the "
    "column 'text' (and 'text_pair')"
)


def texts_and_pairs(x: Any) -> tuple[list[str], list[str] | None]:
    """The texts, and the second ones or None, of any form that they come in.

    Args:
        x: a string; a list, array, tensor or column of strings; a tuple of two of them for pairs; a
            list or array of pairs; a dict of `text` and `text_pair`, or any other table, see
            `named_columns`. Labels that come along as numbers are left out.

    Raises:
        InputError: names the row that is no text, or says which forms there are.

    >>> texts_and_pairs(["a", b"b"])
    (['a', 'b'], None)
    >>> texts_and_pairs((["a", "b"], ["c", "d"])) == texts_and_pairs([("a", "c"), ("b", "d")])
    True
    """
    if hasattr(x, "dtype") and not holds_strings(x):
        raise InputError(
            f"{EXPECTED}; found an array of {x.dtype}: token ids go into a dict of 'token_ids' and "
            "'padding_mask'"
        )
    columns = named_columns(x)
    firsts, seconds = text_columns(columns) if columns is not None else _sides(x)
    firsts, seconds = as_texts(firsts)[0], None if seconds is None else as_texts(seconds)[0]
    if seconds is not None and len(seconds) != len(firsts):
        raise InputError(f"text_pair: {len(seconds)} of them for {len(firsts)} texts")
    return firsts, seconds


def holds_strings(x: Any) -> bool:
    """Whether there is a string anywhere in nested data, of a `tf.data.Dataset` by its types."""
    if hasattr(x, "element_spec"):
        return holds_string_specs(x.element_spec)
    if hasattr(x, "numpy"):
        x = x.numpy()
    if isinstance(x, (str, bytes)):
        return True
    if isinstance(x, np.ndarray) and x.dtype.kind != "O":
        return x.dtype.kind in "US"
    columns = named_columns(x)
    if columns is not None:
        return any(map(holds_strings, columns.values()))
    if isinstance(x, (list, tuple, np.ndarray)):
        return any(map(holds_strings, x))
    return hasattr(x, "to_list") and holds_strings(x.to_list())


def holds_string_specs(spec: Any) -> bool:
    """Whether there is a string among nested specs of tensors."""
    return any(getattr(leaf, "dtype", None) == "string" for leaf in leaves(spec))


def holds_several(x: Any) -> bool:
    """Whether `x` holds strings, but is no single string and no tuple, such as a row is."""
    return not isinstance(x, (str, bytes, tuple)) and holds_strings(x)


def are_numbers(column: Any) -> bool:
    """Whether there are numbers alone, in rows of any length."""
    if isinstance(column, (list, tuple)):
        # Not by way of an array: of strings it would give each the room of the longest.
        return all(map(are_numbers, column))
    if isinstance(column, (int, float, np.number, np.bool_)):
        return True
    if isinstance(column, (str, bytes, Mapping, Set)):
        return False
    if isinstance(column, np.ndarray) and column.dtype.kind != "O":
        return column.dtype.kind in "biuf"
    is_column = hasattr(column, "__iter__") or hasattr(column, "numpy")
    return is_column and are_numbers(flat_labels(column))


def leaves(tree: Any) -> list:
    """What nested dicts, lists and tuples hold, in their order."""
    if isinstance(tree, Mapping):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [leaf for branch in tree for leaf in leaves(branch)]
    return [tree]


def rows_of(x: Any) -> list | None:
    """The rows of a list or array whose rows are tuples or lists; None for any other form."""
    if hasattr(x, "numpy"):
        x = x.numpy()
    if isinstance(x, np.ndarray):
        x = x.tolist()
    if not isinstance(x, list) or not x:
        return None
    if not all(isinstance(row, (tuple, list)) for row in x):
        return None
    return x


def _sides(x):
    """Firsts and seconds of what is no table."""
    if isinstance(x, tuple) and len(x) == 2 and not isinstance(x[0], (str, bytes)):
        return _sides(x[0]) if are_numbers(x[1]) else x  # numbers are labels
    if isinstance(x, list) and len(x) == 2:
        if all(map(_is_array, x)):
            return tuple(x)
        if holds_several(x[0]) and are_numbers(x[1]):  # texts and labels
            return _sides(x[0])
    rows = rows_of(x)
    if rows is None:
        return x, None
    lengths = {len(row) for row in rows}
    if lengths == {1}:
        return [row[0] for row in rows], None
    if lengths == {2}:
        return _sides(tuple(map(list, zip(*rows, strict=True))))
    raise InputError(f"{EXPECTED}; found rows of {', '.join(map(str, sorted(lengths)))} values")


def _is_array(side):
    """Whether it is an array or column of strings, as KerasHub takes two of in a list."""
    return len(getattr(side, "shape", ())) == 1 and holds_strings(side)
