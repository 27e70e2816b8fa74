"""Names and numbers of classes."""

import collections
import re
from collections.abc import Iterable

import numpy as np

from keras_roberta.errors import InputError

# More classes than this are more likely texts, codes or measurements in the wrong column.
LARGEST_NUM_CLASSES = 1000
_NAMES_SHOWN = 10
_LONGEST_SHOWN = 100  # characters of one


class LabelError(InputError):
    """The label of a row does not fit.

    Attributes:
        row: its number, from 0.
        problem: the message without it.
    """

    def __init__(self, row: int, problem: str):
        self.row, self.problem = row, problem
        super().__init__(f"row {row}: {problem}")


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


def spelt(label) -> str:
    """A label as the name of a class; as JSON writes it.

    >>> [spelt(x) for x in ("good", 1, 1.0, True)]
    ['good', '1', '1', 'true']
    """
    if isinstance(label, (bool, np.bool_)):
        return "true" if label else "false"
    number = None if isinstance(label, str) else as_integer(label)
    return str(label if number is None else number)


def classes_of(labels: Iterable) -> tuple[int, tuple[str, ...] | None]:
    """How many classes there are in a file's labels, and their names in order.

    Whole numbers are class numbers if they are 0, 1, 2 and so on without a gap; the names are None
    then. Others, such as stars from 1 to 5, are names in the order of the numbers.

    >>> classes_of(["0", "2", "1"]), classes_of(["-1", "1", "0"]), classes_of(["no", "yes"])
    ((3, None), (3, ('-1', '0', '1')), (2, ('no', 'yes')))
    """
    labels = set(map(_with_type, labels))
    numbers = {None if kind is bool else as_integer(label) for kind, label in labels}
    if None in numbers:
        names = tuple(sorted({spelt(label) for _, label in labels}))
        return len(names), names
    if numbers == set(range(len(numbers))):
        return len(numbers), None
    return len(numbers), tuple(map(str, sorted(numbers)))


def _with_type(label):
    return type(label), label  # True is 1 in a set


def as_plain(label):
    """A label without types of numpy or of tensors, bytes as text."""
    if hasattr(label, "numpy"):  # a scalar tensor in a list
        label = label.numpy()
    if isinstance(label, np.ndarray):
        return label.tolist()
    if isinstance(label, bytes):
        return label.decode("utf-8", "replace")
    return label.item() if isinstance(label, np.generic) else label


def as_array(labels) -> np.ndarray | None:
    """Labels in an array, tensor, column or table of any library as an array; None for a list, and
    for a ragged tensor, whose rows may be of one length by chance."""
    if is_ragged(labels):
        return None
    if hasattr(labels, "numpy"):
        labels = np.asarray(labels.numpy())  # of a scalar tensor, too
    if hasattr(labels, "to_numpy") and not hasattr(labels, "to_pylist"):  # pandas, polars
        labels = labels.to_numpy()
    return labels if isinstance(labels, np.ndarray) else None


def is_ragged(values) -> bool:
    """Whether it is a `tf.RaggedTensor`, or its value out of a dataset."""
    return hasattr(values, "nested_row_splits")


def is_ragged_spec(spec) -> bool:
    """Whether it is the spec of a ragged tensor in a dataset."""
    return hasattr(spec, "ragged_rank")


def flat_labels(labels) -> list:
    """Labels in a list, array, tensor or column of any library as a list of plain values; a single
    label as a list of one."""
    array = as_array(labels)
    if array is not None:
        labels = array.tolist()
    elif is_ragged(labels):
        labels = labels.to_list()
    elif hasattr(labels, "to_pylist"):  # pyarrow
        labels = labels.to_pylist()
    if isinstance(labels, (str, bytes)) or not hasattr(labels, "__iter__"):
        labels = [labels]
    return [as_plain(label) for label in labels]


def class_number(label, num_classes: int, names: tuple[str, ...] | None) -> int:
    """The number of one label: by name where the classes have names, else by number.

    A number that is also a name, as of the classes "1" and "2", is the name. One that stands in the
    name of another class, as 1 for "1 star" and "2 stars", could mean either and is refused.

    Raises:
        InputError: says what is known.
    """
    if names and spelt(label) in names:
        return names.index(spelt(label))
    number = as_integer(label)
    if names and isinstance(label, str):
        raise InputError(f"label {label!r} is none of {shortened(names)}")
    if number is None:
        if isinstance(label, str):
            raise InputError(
                f"label {label!r} is not a number; give the classes' names as labels=[...]"
            )
        raise InputError(
            f"class labels must be whole numbers or names (a regression learns others); got "
            f"{label!r}"
        )
    if not 0 <= number < num_classes:
        raise InputError(
            f"label {number} is outside 0..{num_classes - 1} (num_classes={num_classes}); number "
            "the classes from 0, or give their names as labels=[...]"
        )
    for other in names or ():
        if other != names[number] and str(number) in re.findall(r"\d+", other):
            raise InputError(
                f"label {number} could mean class {number}, {names[number]!r}, or {other!r}; give "
                "the name"
            )
    return number


def class_numbers(labels, num_classes: int, names: tuple[str, ...] | None) -> np.ndarray:
    """int32 (rows,) of labels in a list, array, tensor or column of any library.

    Raises:
        LabelError: names the row.
    """
    numbers = []
    for row, label in enumerate(flat_labels(labels)):
        if isinstance(label, list) and len(label) == 1:  # a column of a matrix
            (label,) = label
        try:
            numbers.append(class_number(label, num_classes, names))
        except InputError as error:
            raise LabelError(row, str(error)) from None
    return np.array(numbers, "int32")


def shortened(names: Iterable[str]) -> str:
    """The names for a message; the first of them where there are many."""
    names = tuple(names)
    shown = ", ".join(name[:_LONGEST_SHOWN] for name in names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown}, … ({len(names)} in all)"


def checked_names(names, num_classes: int | None) -> tuple[str, ...] | None:
    """Names as a tuple of distinct strings, as many as there are classes; None for none."""
    if names is None:
        return None
    if isinstance(names, (str, bytes, dict, set)) or not hasattr(names, "__iter__"):
        raise InputError(
            f"labels: give a list of names, in the order of the classes' numbers; got {names!r:.60}"
        )
    names = tuple(map(str, names))
    if not names:
        return None
    if num_classes is not None and len(names) != num_classes:
        raise InputError(f"num_classes is {num_classes}, but {len(names)} labels are named")
    if len(set(names)) < len(names):
        twice = next(name for name, count in collections.Counter(names).items() if count > 1)
        raise InputError(f"labels: {twice!r} is named twice")
    return names
