"""Reads JSON that others wrote."""

import collections
import json
import os
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_kinds import Kind, short
from keras_roberta.files.regular_file import read_regular

LARGEST = 1 << 26  # bytes, twice what the largest tokenizers take
_DEEPEST = 64  # more than this nobody writes, and what goes through it recursively may fail


class JsonError(ValueError):
    """A text is not JSON, or cannot be read as such; the message says why, in a few words."""


def parse_json(content: str | bytes, *, unique_names: bool = False) -> Any:
    """What a JSON text says.

    Args:
        content: the text.
        unique_names: whether an object with two fields of one name is an error. Otherwise the last
            of them counts.

    Raises:
        JsonError: it is not JSON or not UTF-8, is nested too deep, or holds a number of too many
            digits.
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    except UnicodeDecodeError:
        raise JsonError("it is not UTF-8 text") from None
    try:
        value = json.loads(text, object_pairs_hook=_unique if unique_names else None)
    except JsonError:
        raise
    except json.JSONDecodeError as error:
        raise JsonError(reason_of(error)) from None
    except RecursionError:
        raise JsonError("it is nested too deep") from None
    except ValueError:  # Python reads no more than `sys.get_int_max_str_digits()`
        raise JsonError("it holds a number of thousands of digits") from None
    if text.count("[") + text.count("{") > _DEEPEST and _is_deeper(value, _DEEPEST):
        raise JsonError("it is nested too deep")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = collections.Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise JsonError(f"it has {short(twice)} twice")
    return found


def _is_deeper(value: Any, most: int) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(most):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return bool(level)


def read_json_object(
    path: str | os.PathLike, kind: Kind | None = None, *, hint: str
) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: the file.
        kind: what it has to be; None for any object.
        hint: what to do, or to ask oneself, where there is no such file.

    Raises:
        InputError: names the file, and the field that is of another kind.
    """
    content = read_regular(path, at_most=LARGEST, hint=hint)
    return checked_object(content, path, kind)


def checked_object(
    content: str | bytes, place: str | os.PathLike, kind: Kind | None = None
) -> dict[str, Any]:
    """The object in a JSON text.

    Args:
        content: the text.
        place: for messages.
        kind: see `read_json_object`.

    Raises:
        InputError: see `read_json_object`.
    """
    try:
        value = parse_json(content)
    except JsonError as error:
        raise InputError(f"{place}: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise InputError(f"{place}: expected a JSON object, found a {type(value).__name__}")
    if kind is not None:
        problem = kind.problem(value)
        if problem:
            raise InputError(f"{place}: {problem}")
    return value
