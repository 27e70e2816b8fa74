"""Imports point one way, and run in no circle."""

import ast
import graphlib
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]

# From the ground up: a room imports from those before it, never from those behind it.
ROOMS = [
    "startup",
    "errors",
    "unknown_arguments",
    "files",
    "hugging_face_config",
    "config",
    "options",
    "layers",
    "tokenizers",
    "checkpoints",
    "data",
    "schemas",
    "training",
    "models",
    "tasks",
    "export",
    "reports",
    "jobs",
    "demo",
    "cli",
]


ALLOWED_UPWARDS = {
    # `export.report` is a public name, and is found when it is first asked for.
    ("keras_roberta.export", "keras_roberta.reports.exported_files"),
}


def sources():
    """{module: path} of the package, `export/` among them."""
    found = {}
    for folder, prefix in ((ROOT / "keras_roberta", "keras_roberta"), (ROOT / "export", None)):
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            parts = (prefix,) + parts if prefix else ("keras_roberta", "export") + parts
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imports(path, modules, everywhere):
    """The modules of the package that a file imports.

    Args:
        everywhere: also within functions, and those that it names in strings, to be imported later.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else tree.body
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif everywhere and isinstance(node, ast.Constant) and node.value in modules:
            if "." in str(node.value):  # else it is the package's name
                yield node.value
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            below = names & modules.keys()
            yield from below
            if len(below) < len(names):
                yield node.module


def room(module):
    return module.split(".")[1] if "." in module else None


def test_rooms_import_from_those_below():
    modules = sources()
    assert {room(module) for module in modules} - {None} == set(ROOMS)
    upwards = {
        (module, other)
        for module, path in modules.items()
        for other in imports(path, modules, everywhere=True)
        if room(module) and room(other)  # the package itself names what is public
        if ROOMS.index(room(other)) > ROOMS.index(room(module))
    }
    assert upwards == ALLOWED_UPWARDS


def test_no_circles():
    modules = sources()
    graph = {
        module: set(imports(path, modules, everywhere=False)) for module, path in modules.items()
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError with the circle


def test_nothing_but_its_command_imports_the_demo():
    modules = sources()
    importers = {
        module
        for module, path in modules.items()
        for other in imports(path, modules, everywhere=True)
        if room(other) == "demo" and room(module) != "demo"
    }
    assert all(room(module) == "cli" for module in importers)
