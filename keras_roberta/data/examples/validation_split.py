"""`validation_split`: the last of the rows apart, as Keras does."""

from __future__ import annotations

from typing import Any

from keras_roberta.errors import InputError


def first_of_validation(rows: int, fraction: float) -> int:
    """The number of the first row of the last `fraction` of so many.

    Raises:
        InputError: one part would be empty.

    >>> first_of_validation(10, 0.2)
    8
    """
    first = int(rows * (1.0 - fraction))
    if not 0 < first < rows:
        raise InputError(f"validation_split={fraction} of {rows} rows leaves one side empty")
    return first


def split_rows(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[tuple, tuple]:
    """Arrays, dicts of them and tuples of them as two parts: (x, y, sample_weight) of each.

    Raises:
        InputError: one part would be empty, or the rows cannot be counted.
    """
    if hasattr(x, "element_spec"):
        raise InputError("validation_split needs data in memory; give validation_data instead")
    arrays = [x, y, sample_weight]
    first = next(iter(x.values())) if isinstance(x, dict) else x[0] if isinstance(x, tuple) else x
    rows = len(first)
    cut = first_of_validation(rows, fraction)

    def part(value, start, stop):
        if value is None:
            return None
        if isinstance(value, dict):
            return {key: part(item, start, stop) for key, item in value.items()}
        if isinstance(value, tuple):
            return tuple(part(item, start, stop) for item in value)
        return value[start:stop]

    train = tuple(part(value, 0, cut) for value in arrays)
    return train, tuple(part(value, cut, rows) for value in arrays)
