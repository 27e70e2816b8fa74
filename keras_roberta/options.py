"""Options as records: what a job can be told, with default, help and check of each in one place.

A record is a frozen dataclass whose fields are made by `option`. It checks itself when it is made,
in Python as on the command line, which is derived from it (`keras_roberta.cli.derived`):

    @dataclasses.dataclass(frozen=True)
    class FinetuneOptions(Options):
        epochs: int = option(1, "Times to go over the data.", at_least=1)

Nothing here imports TensorFlow or Keras.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import numbers
import os
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from keras_roberta.errors import InputError

_METADATA = "option"


class OptionError(InputError):
    """An option's value does not fit, or options do not go together.

    Attributes:
        names: the options that the message begins with, as Python names them.
        problem: the rest of it.
    """

    def __init__(self, names: str | tuple[str, ...], problem: str):
        self.names = (names,) if isinstance(names, str) else tuple(names)
        self.problem = problem
        between = "" if problem.startswith(":") else " "
        super().__init__(f"{' and '.join(self.names)}{between}{problem}")


@dataclasses.dataclass(frozen=True)
class Option:
    """What is known of an option besides its name, type and default.

    Attributes:
        help: a short sentence for `--help`.
        choices: what it may be, or a function that gives this.
        at_least, above, at_most, below: bounds of a number.
        group: the heading that `--help` shows it under; None for none.
        flag: how the command line spells it; None for `--its-name`.
        shown_default: what `--help` says instead of the default, such as "the preset's".
        parse: function of the text of the command line; None where the type says how to read it.
    """

    help: str
    choices: tuple[str, ...] | Callable[[], tuple[str, ...]] = ()
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    group: str | None = None
    flag: str | None = None
    shown_default: str | None = None
    parse: Callable[[str], Any] | None = None

    @property
    def allowed(self) -> tuple[str, ...]:
        """The choices."""
        return tuple(self.choices() if callable(self.choices) else self.choices)


def option(default: Any = dataclasses.MISSING, help: str = "", **more) -> Any:
    """A field of a record.

    Args:
        default: left out, the option has to be given.
        help: a short sentence.
        **more: the other fields of `Option`.
    """
    metadata = {_METADATA: Option(help, **more)}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def nested(
    record: type[Options],
    *,
    shown: Mapping[str, str] | None = None,
    without: tuple[str, ...] = (),
    **defaults,
) -> Any:
    """A field that is a record itself; its options are given beside the outer ones.

    Args:
        record: its class.
        shown: by option, the `shown_default` where the outer record has another one.
        without: options that make no difference here; commands do not have them.
        **defaults: of its options where the outer record has others.
    """
    metadata = {"defaults": defaults, "shown": dict(shown or {}), "without": without}
    return dataclasses.field(default_factory=lambda: record(**defaults), metadata=metadata)


@dataclasses.dataclass(frozen=True)
class NamedOption:
    """An option of a record or of a record in it, for who derives something from records.

    Attributes:
        name: in Python.
        type: as annotated.
        default: `dataclasses.MISSING` where it has to be given.
        option: its `Option`.
        record: the name of the inner record that it is in, None for the outer one.
    """

    name: str
    type: Any
    default: Any
    option: Option
    record: str | None = None

    @property
    def flag(self) -> str:
        """How the command line spells it."""
        return self.option.flag or f"--{self.name.replace('_', '-')}"


class Options:
    """Base of the records. Values are read after their type, then checked.

    Where a type is made of parts, the text of the command line will do too: "mlm,sop" for
    `tuple[str, ...]`, "mlm:1,sop:0.5" for `dict[str, float]`, "0:64,0.5:128" for pairs.

    Raises:
        OptionError: names the option, its value and what it may be.
    """

    def __post_init__(self):
        for named in own_options(type(self)):
            object.__setattr__(self, named.name, checked(named, getattr(self, named.name)))
        self.check()

    def check(self) -> None:
        """Raises where options do not go together; for subclasses."""

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> Self:
        """A record out of its options and those of the records in it, all beside one another.

        Raises:
            OptionError: one of them is unknown.
        """
        _refuse_unknown(values, {named.name for named in all_options(cls)})
        own, inner = {}, {field: {} for field in nested_records(cls)}
        for named in all_options(cls):
            if named.name in values:
                target = own if named.record is None else inner[named.record]
                target[named.name] = values[named.name]
        for name, (record, defaults) in nested_records(cls).items():
            own[name] = record(**{**defaults, **inner[name]})
        return cls(**own)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: tuples as lists, records as dicts."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    def changed(self) -> dict[str, Any]:
        """The options, those of records in it among them, that do not have their defaults.

        Returns:
            values by name, as JSON holds them.
        """
        given = self.to_dict()
        values = {
            n.name: (given[n.record] if n.record else given)[n.name]
            for n in all_options(type(self))
        }
        defaults = {n.name: _plain(n.default) for n in all_options(type(self))}
        return {name: value for name, value in values.items() if value != defaults[name]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; what is left out takes its default.

        Raises:
            OptionError: a name is unknown.
        """
        values = dict(values)
        _refuse_unknown(values, {field.name for field in dataclasses.fields(cls)})
        for name, (record, defaults) in nested_records(cls).items():
            if name in values:
                values[name] = record.from_dict({**defaults, **values[name]})
        return cls(**values)


@functools.cache
def own_options(record: type[Options]) -> tuple[NamedOption, ...]:
    """The options of a record, in order, without those of records in it."""
    hints = typing.get_type_hints(record)
    return tuple(
        NamedOption(field.name, hints[field.name], _default(field), field.metadata[_METADATA])
        for field in dataclasses.fields(record)
        if _METADATA in field.metadata
    )


@functools.cache
def all_options(record: type[Options]) -> tuple[NamedOption, ...]:
    """The options of a record and of the records in it, in order."""
    own = {named.name: named for named in own_options(record)}
    found = []
    for field in dataclasses.fields(record):
        if field.name in own:
            found.append(own[field.name])
            continue
        inner, defaults = nested_records(record)[field.name]
        for named in all_options(inner):
            if named.name in field.metadata["without"]:
                continue
            shown = field.metadata["shown"].get(named.name, named.option.shown_default)
            found.append(
                dataclasses.replace(
                    named,
                    default=defaults.get(named.name, named.default),
                    option=dataclasses.replace(named.option, shown_default=shown),
                    record=field.name,
                )
            )
    return tuple(found)


def nested_records(record: type[Options]) -> dict[str, tuple[type[Options], dict[str, Any]]]:
    """Field to class and defaults of the records in a record."""
    hints = typing.get_type_hints(record)
    return {
        field.name: (hints[field.name], field.metadata["defaults"])
        for field in dataclasses.fields(record)
        if "defaults" in field.metadata
    }


def checked(named: NamedOption, value: Any) -> Any:
    """The value of an option as its type has it.

    Raises:
        OptionError: it is of another type, none of the choices or out of bounds.
    """
    kinds = kinds_of(named.type)
    if value is None and types.NoneType in kinds:
        return None
    if named.option.parse and isinstance(value, str):
        value = named.option.parse(value)
    value = _read(named.name, [k for k in kinds if k is not types.NoneType], value)
    allowed = named.option.allowed
    if allowed:
        for item in value if isinstance(value, tuple) else (value,):
            if item not in allowed:
                raise OptionError(
                    named.name,
                    f"{item!r}: expected one of {', '.join(allowed)}{_near(item, allowed)}",
                )
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, numbers.Real) and not isinstance(item, bool):
            _check_bounds(named.name, item, named.option)
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
    Path: ("a path", lambda value: Path(_read_text(value))),
    tuple: ("a list", _read_tuple),
    dict: ("a dict of numbers by name", _read_factors),
}
# How types that are made of parts are written.
_WRITTEN = {
    tuple[int, ...]: "whole numbers such as 32,64,128",
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
    elif above is not None:
        wanted = "positive" if above == 0 else f"above {above}"
    else:
        wanted = f"at most {high}" if high is not None else f"below {below}"
    raise OptionError(name, f"must be {wanted}; got {value!r}")


def _refuse_unknown(values, known):
    for name in values:
        if name not in known:
            raise OptionError(name, f"is no option here{_near(name, known)}")


def _near(name, known):
    near = difflib.get_close_matches(str(name), list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def _default(field):
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _plain(value):
    if isinstance(value, Options):
        return value.to_dict()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value
