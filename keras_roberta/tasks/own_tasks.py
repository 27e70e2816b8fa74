"""Tasks of one's own for the command line: the modules that the environment names."""

from __future__ import annotations

import importlib
import os
import sys

from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.schemas import SCHEMAS
from keras_roberta.tasks.registry import OWN_TASKS, TASKS


def import_own_tasks() -> None:
    """Imports the modules that the variable `KERAS_ROBERTA_TASKS` names, between commas.

    They call `register_task` and `register_schema`. They are looked for where Python looks, and
    then in the current directory. Nothing else decides what is imported, no file of a model does.

    Raises:
        InputError: there is no such module, it cannot be imported, or it registers nothing.
    """
    for name in map(str.strip, os.environ.get(OWN_TASKS, "").split(",")):
        if name:
            _import(name)


def _import(name):
    if name.endswith(".py") or not all(map(str.isidentifier, name.split("."))):
        raise InputError(
            f"{OWN_TASKS}: {name!r} is no name of a module; give names such as my_tasks or "
            "my_package.tasks"
        )
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())
    before = len(TASKS), len(SCHEMAS)
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name
        if missing and f"{name}.".startswith(f"{missing}."):
            raise InputError(
                f"{OWN_TASKS}: there is no module {name}, neither on Python's path nor in "
                f"{os.getcwd()}"
            ) from None
        raise InputError(
            f"{OWN_TASKS}: {name} cannot be imported ({type(error).__name__}: {reason_of(error)})"
        ) from error
    modules = [entry.module for entry in TASKS] + [cls.__module__ for cls in SCHEMAS.values()]
    known = any(f"{module}.".startswith(f"{name}.") for module in modules)
    if not known and before == (len(TASKS), len(SCHEMAS)):
        raise InputError(
            f"{OWN_TASKS}: {name} registers nothing; call keras_roberta.register_task in it"
        )
