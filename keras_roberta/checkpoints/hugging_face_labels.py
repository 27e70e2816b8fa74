"""Names of classes and the head's dropout in Hugging Face's `config.json`."""

import re
from collections.abc import Mapping, Sequence

from keras_roberta.errors import InputError
from keras_roberta.files.json_kinds import (
    TEXT,
    TRUTH,
    Either,
    MapOf,
    Number,
    Simple,
    Whole,
    short,
)

# Of classes. Some write names that are numbers as such, and numbers as text.
_NAME = Either((TEXT, Number(), TRUTH))
_NUMBER = Either((Whole(0, 2**31), Simple("digits", lambda x: re.fullmatch(r"[0-9]{1,9}", str(x)))))


def label_names(config: Mapping) -> list[str] | None:
    """The names of the classes, in order, out of a `config.json`.

    Returns:
        None where it has none, or only Transformers' placeholders `LABEL_0`, `LABEL_1`, ...

    Raises:
        InputError: `id2label` is mangled.
    """
    names = id2label(config)
    if all(name == f"LABEL_{i}" for i, name in enumerate(names)):
        return None
    return names


def label_entries(names: Sequence[str] | None, num_labels: int) -> dict[str, dict]:
    """The entries of `config.json` for the names of the classes; placeholders where there are none.

    >>> label_entries(("bad", "good"), 2)["id2label"]
    {'0': 'bad', '1': 'good'}
    """
    names = names or [f"LABEL_{i}" for i in range(num_labels)]
    return {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }


def id2label(config: Mapping) -> list[str]:
    """The names by number; of `label2id` where there is no `id2label`.

    Raises:
        InputError: they are mangled, contradict each other, or name two classes alike.
    """
    names = config.get("id2label") or {}
    if not isinstance(names, dict) or set(names) != {str(i) for i in range(len(names))}:
        raise InputError("config.json: id2label must give a name to each of 0, 1, 2, ...")
    if problem := MapOf(_NAME).problem(names, "id2label"):
        raise InputError(f"config.json: {problem}")
    numbers = {int(key): str(name) for key, name in names.items()}
    by_name = config.get("label2id") or {}
    if MapOf(_NUMBER).problem(by_name):
        raise InputError("config.json: label2id must give a number to each name")
    by_name = {name: int(number) for name, number in by_name.items()}
    if not numbers:
        numbers = {number: name for name, number in by_name.items()}
        if len(numbers) != len(by_name) or sorted(numbers) != list(range(len(numbers))):
            raise InputError("config.json: label2id must give 0, 1, 2, ... to one name each")
    known = set(numbers.values())
    extra = sorted(set(by_name) - known)
    if extra:
        raise InputError(
            f"config.json: label2id has the name {short(extra[0])}, which id2label has not; "
            "correct one of them"
        )
    names = [numbers[i] for i in range(len(numbers))]
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        if first.setdefault(name, number) != number:
            raise InputError(
                f"config.json: id2label gives the name {short(name)} to {first[name]} and "
                f"{number}; give each class a name of its own"
            )
        if by_name and by_name.get(name) != number:
            raise InputError(
                f"config.json: id2label says that {number} is {short(name)}, label2id that "
                f"{short(name)} is {by_name.get(name)}; correct one of them"
            )
    return names


def classifier_dropout(config: Mapping) -> float | None:
    """The dropout rate in the head; None for that of the encoder, as in Transformers.

    Raises:
        InputError: it is no rate.
    """
    rate = config.get("classifier_dropout")
    if rate is not None and not (type(rate) in (int, float) and 0 <= rate < 1):
        raise InputError(
            f"config.json: classifier_dropout must be in [0, 1) or null; got {short(rate)}"
        )
    return rate
