"""The classes that a column of a table holds."""

from __future__ import annotations

from keras_roberta.data.examples.label_names import LARGEST_NUM_CLASSES, as_integer, classes_of
from keras_roberta.data.examples.table_files import Table, as_number
from keras_roberta.errors import InputError


def classes_of_table(
    table: Table, labels: list, num_classes: int | None
) -> tuple[int, tuple[str, ...] | None]:
    """How many classes there are, and their names; None where labels are class numbers.

    Args:
        labels: all labels of the table, one after the other.
        num_classes: what the user says; whole numbers are class numbers then, whatever is found.

    Raises:
        InputError: the labels are no classes, or not as many.
    """
    _refuse_measurements(table, labels)
    found, names = classes_of(labels)
    if num_classes is not None and all(as_integer(label) is not None for label in labels):
        return num_classes, None
    if num_classes not in (None, found):
        raise InputError(f"{table.path}: {found} labels, but --num-classes is {num_classes}")
    if num_classes is None and found > LARGEST_NUM_CLASSES:
        raise InputError(
            f"{table.path}: {found} different labels; name another --label-column, or give "
            f"--num-classes {found} if you mean it"
        )
    return found, names


def _refuse_measurements(table, labels):
    """Real numbers are no classes."""
    numbers = [as_number(label) for label in labels]
    if None not in numbers and any(not number.is_integer() for number in numbers):
        shown = next(label for label, n in zip(labels, numbers, strict=True) if not n.is_integer())
        raise InputError(
            f"{table.path}: the labels are numbers such as {shown!r}, not classes; give --task "
            "regress to predict them"
        )
