"""Arguments that a function does not have are refused, with the nearest name that it has."""

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from keras_roberta.errors import InputError


class UnknownArgument(InputError, TypeError):
    """An argument that a function or class does not have; a TypeError, as Python's own is."""


def nearest(name: Any, known: Iterable[str]) -> str:
    """The end of a message about a name that is not known: what may have been meant."""
    near = difflib.get_close_matches(str(name), list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def refuse_unknown(where: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises an `UnknownArgument` for the first name that is not known.

    Args:
        where: the function or class, for the message.
        given: names of arguments.
        known: those that there are.
    """
    known = sorted(known)
    for name in given:
        if name not in known:
            hint = nearest(name, known) or f"; it has {', '.join(known)}"
            raise UnknownArgument(f"{where} has no argument {name!r}{hint}")


def argument_names(*functions: Callable) -> set[str]:
    """The names of the arguments of functions and methods, without those of `**kwargs`."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = (inspect.signature(function).parameters for function in functions)
    return {name for each in parameters for name, p in each.items() if p.kind in kinds} - {"self"}


def refuse_misspelt(function: Callable, given: Iterable[str], known: Iterable[str] = ()) -> None:
    """As `refuse_unknown`, for the `**kwargs` of a function, where only a near name is refused.

    What is near to nothing is left to whoever takes the arguments.

    Args:
        known: names that may be in `**kwargs`.
    """
    parameters = inspect.signature(function).parameters.values()
    known = {*known, *(p.name for p in parameters if p.kind is not p.VAR_KEYWORD)}
    for name in given:
        if name not in known and nearest(name, known):
            refuse_unknown(function.__name__, [name], known)


def named_arguments(function: Callable) -> Callable:
    """The same function or class, which refuses unknown arguments as `refuse_unknown` does.

    For public functions, and classes' constructors, that take no `**kwargs`.

    >>> @named_arguments
    ... def cut(text, length=3): ...
    >>> try:
    ...     cut("abcd", lenght=2)
    ... except InputError as error:
    ...     print(error)
    cut has no argument 'lenght'; did you mean length?
    """
    if isinstance(function, type):
        function.__init__ = named_arguments(function.__init__)
        return function
    parameters = inspect.signature(function).parameters
    names = [name for name, p in parameters.items() if p.kind is not p.POSITIONAL_ONLY]
    known = [name for name in names if name not in ("self", "cls")]
    # Of a constructor the class's name, of a method its own.
    where = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

    @functools.wraps(function)
    def checked(*args, **kwargs):
        refuse_unknown(where, kwargs, known)
        return function(*args, **kwargs)

    return checked
