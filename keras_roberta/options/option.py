"""An option: what is known of it besides its name, its type and its default."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from keras_roberta.errors import InputError


class OptionError(InputError):
    """An option's value does not fit, or options do not go together.

    The command line spells the names as its own options. Libraries raise it for their arguments of
    the same names.

    Attributes:
        names: the options that the message begins with, as Python names them.
        problem: the rest of it.
    """

    def __init__(self, names: str | tuple[str, ...], problem: str):
        self.names = (names,) if isinstance(names, str) else tuple(names)
        self.problem = problem
        between = "" if problem.startswith(":") else " "
        super().__init__(f"{' and '.join(self.names)}{between}{problem}")

    def __reduce__(self):  # as it comes from another process
        return type(self), (self.names, self.problem)


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
        is_path: whether it is text that names a file or directory, whose `~` is one's own.
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
    is_path: bool = False

    @property
    def allowed(self) -> tuple[str, ...]:
        """The choices."""
        return tuple(self.choices() if callable(self.choices) else self.choices)
