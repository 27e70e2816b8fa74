"""Values of options: read after the type, then held against choices and bounds."""

from __future__ import annotations

import math
import numbers
import os
import types
import typing
from pathlib import Path
from typing import Any

from keras_roberta.options.option import Option, OptionError
from keras_roberta.unknown_arguments import nearest


def checked(name: str, hint: Any, option: Option, value: Any) -> Any:
    """The value of an option as its type has it.

    Args:
        name: of the option.
        hint: its type, such as `tuple[str, ...] | None`. Where it is made of parts, text will do.
        option: its choices and bounds.
        value: what was given.

    Raises:
        OptionError: it is of another type, none of the choices or out of bounds.
    """
    kinds = kinds_of(hint)
    if value is None and types.NoneType in kinds:
        return None
    if option.parse and isinstance(value, str):
        value = option.parse(value)
    if option.is_path and isinstance(value, (str, os.PathLike)):
        value = os.path.expanduser(value)
    value = _read(name, [k for k in kinds if k is not types.NoneType], value)
    allowed = option.allowed
    if allowed:
        for item in value if isinstance(value, tuple) else (value,):
            if item not in allowed:
                raise OptionError(
                    name,
                    f"{item!r}: expected one of {', '.join(allowed)}{nearest(item, allowed)}",
                )
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, numbers.Real) and not isinstance(item, bool):
            _check_bounds(name, item, option)
    return value


def kinds_of(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a type."""
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if is_union else (hint,)


def _read(name, kinds, value):
    wanted = []
    for kind in kinds:
        words, read = _READERS[typing.get_origin(kind) or kind]
        try:
            return read(value, *typing.get_args(kind))
        except (TypeError, ValueError):
            wanted.append(words)
    if kinds[0] in _WRITTEN:
        raise OptionError(name, f"{value!r}: give {_WRITTEN[kinds[0]]}")
    raise OptionError(name, f"must be {' or '.join(wanted)}; got {value!r}")


def _read_bool(value):
    if not isinstance(value, bool):
        raise TypeError
    return value


def _read_integer(value):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError
    return int(value)


def _read_number(value):
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError
    if value in (math.inf, -math.inf):
        raise ValueError
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def _read_text(value):
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError
    return os.fspath(value)


def _read_tuple(value, kind, *_):
    """Of strings, numbers, or pairs."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
        if kind in (int, float):
            return tuple(map(kind, value))
        if kind is not str:
            value = [part.split(":") for part in value]
            return tuple((float(left), int(right)) for left, right in value)
    if kind in (str, int, float):
        read = _READERS[kind][1]
        return tuple(read(item) for item in value)
    return tuple((_read_number(left), _read_integer(right)) for left, right in value)


def _read_factors(value, *_):
    """A number for each name."""
    if isinstance(value, str):
        pairs = [part.split(":") for part in value.split(",")]
        value = {name.strip(): float(number) for name, number in pairs}
    return {_read_text(name): _read_number(number) for name, number in dict(value).items()}


_READERS = {
    bool: ("True or False", _read_bool),
    int: ("a whole number", _read_integer),
    float: ("a number", _read_number),
    str: ("text", _read_text),
    Path: ("a path", lambda value: Path(_read_text(value)).expanduser()),
    tuple: ("a list", _read_tuple),
    dict: ("a dict of numbers by name", _read_factors),
}
# How types that are made of parts are written.
_WRITTEN = {
    tuple[int, ...]: "whole numbers such as 32,64,128",
    tuple[float, ...]: "numbers such as 1e-5,3e-5",
    tuple[tuple[float, int], ...]: "pairs such as 0:64,0.5:128",
    dict[str, float]: "pairs such as mlm:1,sop:0.5",
}


def _check_bounds(name, value, bounds):
    low, above, high, below = bounds.at_least, bounds.above, bounds.at_most, bounds.below
    fits = (
        (low is None or value >= low)
        and (above is None or value > above)
        and (high is None or value <= high)
        and (below is None or value < below)
    )
    if fits:
        return
    if low is not None and below is not None:
        wanted = f"in [{low}, {below})"
    elif low is not None and high is not None:
        wanted = f"between {low} and {high}"
    elif low is not None:
        wanted = f"a whole number from {low}" if isinstance(low, int) and low else f"at least {low}"
    elif above is not None and below is not None:
        wanted = f"between {above} and {below}"
    elif above is not None:
        wanted = "positive" if above == 0 else f"above {above}"
    else:
        wanted = f"at most {high}" if high is not None else f"below {below}"
    raise OptionError(name, f"must be {wanted}; got {value!r}")
