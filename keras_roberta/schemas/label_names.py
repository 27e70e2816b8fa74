"""Names and numbers of classes."""

import numpy as np

from keras_roberta.errors import InputError

# Class numbers further apart than this are codes, not numbers of classes.
LARGEST_NUM_CLASSES = 1000


def as_integer(label) -> int | None:
    """The whole number that a label is, or None.

    Only numbers as they are written by default count: "01", "1_0", "+1" and " 1" are names. False
    and True are 0 and 1.

    >>> [as_integer(x) for x in (1, "1", 1.0, "-1", "01", "1_0", "1.0", True)]
    [1, 1, 1, -1, None, None, None, 1]
    """
    if isinstance(label, (int, np.integer, np.bool_)):
        return int(label)
    if isinstance(label, (float, np.floating)):
        return int(label) if float(label).is_integer() else None
    if isinstance(label, str):
        digits = label.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) < 19 and label == str(int(label)):
            return int(label)
    return None


def as_plain(label):
    """A label without numpy's types, bytes as text."""
    if isinstance(label, bytes):
        return label.decode("utf-8", "replace")
    return label.item() if isinstance(label, np.generic) else label


def as_array(labels) -> np.ndarray | None:
    """Labels in an array, tensor or column of any library as an array; None for a list."""
    if hasattr(labels, "numpy"):
        labels = labels.numpy()
    if hasattr(labels, "to_numpy"):  # pandas, polars
        labels = labels.to_numpy()
    return labels if isinstance(labels, np.ndarray) else None


def flat_labels(labels) -> list:
    """Labels in a list, array, tensor or column of any library as a list of plain values."""
    array = as_array(labels)
    return [as_plain(label) for label in (list(labels) if array is None else array.tolist())]


def class_number(label, num_classes: int, names: tuple[str, ...] | None) -> int:
    """The number of one label: by name where the classes have names, else by number.

    A whole number that is also a name, as of the classes "1" and "2", is the name.

    Raises:
        InputError: says what is known.
    """
    if names and isinstance(label, (str, int)) and str(label) in names:
        return names.index(str(label))
    number = as_integer(label)
    if names and isinstance(label, str):
        raise InputError(f"label {label!r} is none of {', '.join(names)}")
    if number is None:
        if isinstance(label, str):
            raise InputError(
                f"label {label!r} is not a number; give the classes' names as labels=[...]"
            )
        raise InputError(f"class labels must be whole numbers or names; got {label!r}")
    if not 0 <= number < num_classes:
        raise InputError(
            f"label {number} is outside 0..{num_classes - 1} (num_classes={num_classes})"
        )
    return number


def checked_names(names, num_classes: int | None) -> tuple[str, ...] | None:
    """Names as a tuple of distinct strings, as many as there are classes; None for none."""
    if not names:
        return None
    names = tuple(str(name) for name in names)
    if num_classes is not None and len(names) != num_classes:
        raise InputError(f"num_classes is {num_classes}, but {len(names)} labels are named")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"labels: {twice!r} is named twice")
    return names
