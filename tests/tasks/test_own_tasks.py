"""Modules of tasks and schemas that the environment names."""

import sys

import pytest

from keras_roberta.schemas import SCHEMAS
from keras_roberta.tasks import registry

MODULES = {
    "own_schema": (
        "from keras_roberta.schemas import Value, register_schema\n"
        "class Own(Value):\n    name = 'own'\n"
        "register_schema(Own)\n"
    ),
    "own_nothing": "import math\n",
    "own_broken": "raise ValueError('not today')\n",
    "own_needs": "import no_such_package\n",
    "own_script": "import sys\nsys.exit('usage: …')\n",
    "own_twice": (
        "from keras_roberta.tasks.registry import register_task\n"
        "register_task(type('Own', (), {'__module__': __name__}), command='ner')\n"
    ),
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A current directory with modules, and what they register taken back."""
    for name, code in MODULES.items():
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(registry, "TASKS", list(registry.TASKS))
    yield tmp_path
    SCHEMAS.pop("own", None)
    for name in MODULES:
        sys.modules.pop(name, None)


def test_a_module_in_the_current_directory(place, monkeypatch, run):
    monkeypatch.setenv("KERAS_ROBERTA_TASKS", " own_schema, ")
    for _ in range(2):
        assert run("sizes")[0] == 0
        assert SCHEMAS["own"].__module__ == "own_schema"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module", "there is no module no_such_module, neither on Python's path nor in "),
        ("own_schema.more", "there is no module own_schema.more"),
        ("own_schema.py", "'own_schema.py' is no name of a module; give names such as my_tasks"),
        ("examples/own", "'examples/own' is no name of a module"),
        ("own_nothing", "own_nothing registers nothing; call keras_roberta.register_task in it"),
        ("os", "os registers nothing"),
        ("own_broken", "own_broken cannot be imported (ValueError: not today)"),
        ("own_needs", "own_needs cannot be imported (ModuleNotFoundError: No module named 'no_"),
        ("own_script", "own_script cannot be imported (SystemExit: usage: …)"),
        ("own_twice", "own_twice cannot be imported (InputError: Own: the command 'ner' is taken"),
    ],
)
def test_modules_that_do_not_serve(place, monkeypatch, run, name, message):
    monkeypatch.setenv("KERAS_ROBERTA_TASKS", name)
    code, printed, error = run("sizes")
    assert (code, printed, error.count("\n")) == (2, "", 1)
    assert error.startswith("error: KERAS_ROBERTA_TASKS: ") and message in error
