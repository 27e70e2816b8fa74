"""Commands derived from records of options: a typer signature out of their fields."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import re
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from keras_roberta.errors import InputError
from keras_roberta.options import NamedOption, OptionError, Options, all_options
from keras_roberta.options.values import kinds_of
from keras_roberta.tasks.own_tasks import import_own_tasks

_TYPED = (bool, str, Path)  # read by typer; other types are read from text
_NUMBERS = {int: "<int>", float: "<float>"}


@dataclasses.dataclass(frozen=True)
class Given:
    """Annotates a parameter that gets the options which were given, as a dict, not the record.

    For commands in which something else than the record says what the others are:
    `changes: Annotated[dict, Given(PretrainingOptions)]`.
    """

    record: type[Options]


def derived_command(function: Callable) -> Callable:
    """Makes a function whose parameters are records into one whose parameters are options.

    A parameter annotated with a class of `Options` gets a record of what was given; options that
    were not given take the record's defaults. Other parameters are typer's.

    The command knows tasks of one's own, see `import_own_tasks`. Errors of records are passed on
    with options as they are spelled on the command line.
    """
    parameters, records, known = [], {}, {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        record, as_given = _record_of(parameter.annotation)
        if record is None:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        records[parameter.name] = record, dict if as_given else record.from_flat
        for named in all_options(record):
            known[named.name] = named.flag
            parameters.append(_parameter(named))

    @functools.wraps(function)
    def command(**values):
        try:
            import_own_tasks()
            for name, (record, make) in records.items():
                given = {named.name: values.pop(named.name) for named in all_options(record)}
                values[name] = make(_read(record, given))
            return function(**{name: _expanded(value) for name, value in values.items()})
        except OptionError as error:
            raise InputError(_spelled_as_flags(error, known)) from None
        except KeyboardInterrupt:  # typer would end without a word
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None

    command.__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    del command.__wrapped__
    return command


def _read(record, given):
    """The values that were given, numbers read from their text where they are numbers."""
    kinds = {named.name: _number_of(named) for named in all_options(record)}
    values = {}
    for name, value in given.items():
        if value is None:
            continue
        if kinds[name] is not None:
            with contextlib.suppress(ValueError):  # the record says what it must be
                value = kinds[name](value)
        values[name] = value
    return values


def _number_of(named):
    """`int` or `float` where an option is one, else None."""
    if named.option.parse is not None:
        return None
    return next((kind for kind in kinds_of(named.type) if kind in _NUMBERS), None)


def _expanded(value):
    """A path without `~`, which shells leave as it is in `--out=~/model`."""
    return value.expanduser() if isinstance(value, Path) else value


def _record_of(annotation) -> tuple[type[Options] | None, bool]:
    """The record that a parameter stands for, and whether it gets what was given as it is."""
    if typing.get_origin(annotation) is Annotated:
        given = [item for item in annotation.__metadata__ if isinstance(item, Given)]
        return (given[0].record, True) if given else (None, False)
    is_record = isinstance(annotation, type) and issubclass(annotation, Options)
    return (annotation if is_record else None), False


def _parameter(named: NamedOption) -> inspect.Parameter:
    """A typer option. Its default is always None: the record knows what it stands for.

    What the record says is in the help, and escaped there: typer reads it as rich's markup.
    """
    option, kinds = named.option, kinds_of(named.type)
    kind = next((k for k in kinds if k in _TYPED and option.parse is None), str)
    required = named.default is dataclasses.MISSING
    flag, help_ = named.flag, escape(option.help)
    if kind is bool and named.default is not False:  # it has to be possible to turn it off
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
    shown = option.shown_default or (None if required else _shown(named.default))
    if shown:
        help_ += f" [dim]{escape(f'[default: {shown}]')}[/dim]"
    info = typer.Option(
        flag,
        help=help_,
        show_default=False,
        rich_help_panel=option.group,
        metavar=_metavar(named, kind),
        autocompletion=(lambda: list(option.allowed)) if option.allowed else None,
    )
    type_ = kind if required else kind | None
    return inspect.Parameter(
        named.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if required else None,
        annotation=Annotated[type_, info],
    )


def _metavar(named, kind):
    """What `--help` shows in place of a value."""
    if named.option.allowed and kind is str:
        return f"[{'|'.join(named.option.allowed)}]"
    return _NUMBERS.get(_number_of(named))


def _shown(default):
    """A default as one would write it on the command line."""
    if isinstance(default, dict):
        return ",".join(f"{name}:{value}" for name, value in default.items())
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    if isinstance(default, bool):
        return "on" if default else None  # a switch is off unless it is given
    return None if default is None else str(default)


def _spelled_as_flags(error, known):
    """A record's message with options as the command line spells them.

    Names without an underscore may be plain words, so that they count at the beginning alone.
    """
    names = " and ".join(known.get(name, name) for name in error.names)

    def flag(match):
        return known.get(match[0], match[0]) if "_" in match[0] else match[0]

    problem = re.sub(r"\w+", flag, error.problem)
    return f"{names}{'' if problem.startswith(':') else ' '}{problem}"
