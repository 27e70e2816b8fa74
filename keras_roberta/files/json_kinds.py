"""What the fields of a JSON file have to be, declared once beside their reader.

A reader that is given the kinds need not check anything of what it gets:

>>> entry = Record({"id": Whole(0, 2**31)}, {"name": TEXT})
>>> entry.problem({"id": 3, "other": None})
''
>>> Record({"tokens": ListOf(entry)}).problem({"tokens": [{"id": 1}, {"id": "2"}]})
"tokens[1].id: expected a whole number of at least 0; got '2'"
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any


class Kind(abc.ABC):
    """What a value may be."""

    expected: str

    @abc.abstractmethod
    def problem(self, value: Any, place: str = "") -> str:
        """What is wrong with a value, in a few words; "" where nothing is.

        Args:
            place: the field it stands in, such as "config.labels[2]".
        """

    def _unlike(self, value: Any, place: str) -> str:
        return f"{place or 'the file'}: expected {self.expected}; got {short(value)}"


@dataclasses.dataclass(frozen=True)
class Simple(Kind):
    """A value without parts.

    Attributes:
        expected: for messages.
        is_one: whether a value is one.
    """

    expected: str
    is_one: Callable[[Any], bool]

    def problem(self, value, place=""):
        return "" if self.is_one(value) else self._unlike(value, place)


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


ANY_NUMBER = Simple("a number", lambda value: _is_whole(value) or isinstance(value, float))
TEXT = Simple("text", lambda value: isinstance(value, str))
TRUTH = Simple("true or false", lambda value: isinstance(value, bool))
OBJECT = Simple("an object", lambda value: isinstance(value, dict))


def Whole(at_least: int, below: int = 2**48) -> Simple:  # noqa: N802 (a kind, as the others)
    """A whole number."""
    return Simple(
        f"a whole number of at least {at_least}",
        lambda value: _is_whole(value) and at_least <= value < below,
    )


def Number(at_least: float = -math.inf, below: float = math.inf) -> Simple:  # noqa: N802
    """A finite number."""
    bounds = "" if (at_least, below) == (-math.inf, math.inf) else f" in [{at_least}, {below})"
    return Simple(
        f"a finite number{bounds}",
        lambda value: (
            (
                (_is_whole(value) and abs(value) < 2**1000)
                or (isinstance(value, float) and math.isfinite(value))
            )
            and at_least <= value < below
        ),
    )


@dataclasses.dataclass(frozen=True)
class Maybe(Kind):
    """A kind, or null."""

    kind: Kind

    @property
    def expected(self):
        return f"{self.kind.expected}, or null"

    def problem(self, value, place=""):
        return "" if value is None else self.kind.problem(value, place)


@dataclasses.dataclass(frozen=True)
class Either(Kind):
    """Any of several kinds."""

    kinds: tuple[Kind, ...]

    @property
    def expected(self):
        return " or ".join(kind.expected for kind in self.kinds)

    def problem(self, value, place=""):
        fits = any(not kind.problem(value, place) for kind in self.kinds)
        return "" if fits else self._unlike(value, place)


@dataclasses.dataclass(frozen=True)
class ListOf(Kind):
    """A list of values of one kind.

    Attributes:
        kind: of each value.
        at_least, at_most: how many there may be.
    """

    kind: Kind
    at_least: int = 0
    at_most: float = math.inf

    @property
    def expected(self):
        return f"a list, each {self.kind.expected}"

    def problem(self, value, place=""):
        if not isinstance(value, list):
            return self._unlike(value, place)
        if not self.at_least <= len(value) <= self.at_most:
            return f"{place}: a list of {len(value)} values"
        found = (self.kind.problem(item, f"{place}[{i}]") for i, item in enumerate(value))
        return next(filter(None, found), "")


@dataclasses.dataclass(frozen=True)
class MapOf(Kind):
    """An object whose values are of one kind, whatever their names."""

    kind: Kind

    @property
    def expected(self):
        return f"an object, each value {self.kind.expected}"

    def problem(self, value, place=""):
        if not isinstance(value, dict):
            return self._unlike(value, place)
        found = (self.kind.problem(v, _inner(place, k)) for k, v in value.items())
        return next(filter(None, found), "")


@dataclasses.dataclass(frozen=True)
class Record(Kind):
    """An object with fields of their own kinds. Further fields may be there.

    Attributes:
        required: the kinds of the fields that must be there, by name.
        optional: of those that need not.
    """

    required: Mapping[str, Kind] = dataclasses.field(default_factory=dict)
    optional: Mapping[str, Kind] = dataclasses.field(default_factory=dict)
    expected = "an object"

    def problem(self, value, place=""):
        if not isinstance(value, dict):
            return self._unlike(value, place)
        for name, kind in self.required.items():
            if name not in value:
                return f"{_inner(place, name)}: missing"
            if found := kind.problem(value[name], _inner(place, name)):
                return found
        for name, kind in self.optional.items():
            if name in value and (found := kind.problem(value[name], _inner(place, name))):
                return found
        return ""


def _inner(place: str, name: str) -> str:
    return f"{place}.{name:.60}" if place else f"{name:.60}"


def short(value: Any, most: int = 60) -> str:
    """A value for a message, whatever it is.

    >>> short("x" * 100, 10), short([10**5000])
    ("'xxxxxx...", 'a list')
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of too many digits, too many brackets
        return f"a {type(value).__name__}"
    return text if len(text) <= most else text[: most - 3] + "..."
