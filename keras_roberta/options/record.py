"""Records of options: made, checked, nested, as JSON."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from keras_roberta.options.option import Option, OptionError
from keras_roberta.options.values import checked
from keras_roberta.unknown_arguments import nearest

_METADATA = "option"


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

    Attributes:
        group: the heading that `--help` shows its options under which name none themselves.

    Raises:
        OptionError: names the option, its value and what it may be.
    """

    group: ClassVar[str | None] = None

    def __post_init__(self):
        for named in own_options(type(self)):
            value = checked(named.name, named.type, named.option, getattr(self, named.name))
            object.__setattr__(self, named.name, value)
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

    def check_not_given(self, *names: str, problem: str) -> None:
        """Raises for the first of these options that does not have its default.

        Args:
            names: options that would make no difference.
            problem: why, and what to do; see `OptionError`.
        """
        given = self.changed()
        for name in names:
            if name in given:
                raise OptionError(name, problem)

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
        NamedOption(field.name, hints[field.name], _default(field), _grouped(field, record))
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


def _refuse_unknown(values, known):
    for name in values:
        if name not in known:
            raise OptionError(name, f"is no option here{nearest(name, known)}")


def _grouped(field, record):
    """The option of a field, in the group of the record that declares it unless it has its own."""
    option = field.metadata[_METADATA]
    if option.group is not None:
        return option
    owner = next(cls for cls in record.__mro__ if field.name in inspect.get_annotations(cls))
    return dataclasses.replace(option, group=vars(owner).get("group"))


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
