"""The demo stands on top: no other part of the library needs it."""

import ast
import pathlib
import re

import keras_roberta

PACKAGE = pathlib.Path(keras_roberta.__file__).parent


def imported_modules(path):
    """The full names of all modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def importers_of(prefix):
    files = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "export").glob("*.py")]
    return {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in files
        if any(f"{name}.".startswith(f"{prefix}.") for name in imported_modules(path))
    }


def test_nothing_but_its_command_imports_the_demo():
    outside = {
        name for name in importers_of("keras_roberta.demo") if "keras_roberta/demo/" not in name
    }
    assert len(outside) == 1
    assert all(re.fullmatch(r"keras_roberta/cli/(.*/)?demo\.py", name) for name in outside)
