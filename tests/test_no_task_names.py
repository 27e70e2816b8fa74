"""Tasks are known by their registry: what lies above them names none.

Files in these folders hold no class name of a task or of a schema and no task's command, and do not
ask what kind of task they have by its class or by a number of classes. One job is about one task by
its nature: `jobs/pretrain/` makes and trains the pre-trainer, and may name that class alone; one of
the objectives of pre-training has the name of a task's command.
"""

import pathlib
import re

import pytest

from keras_roberta.schemas import SCHEMAS
from keras_roberta.tasks.registry import TASKS

ROOT = pathlib.Path(__file__).parents[1]
FOLDERS = [
    "export",
    "keras_roberta/checkpoints",
    "keras_roberta/cli",
    "keras_roberta/jobs",
    "keras_roberta/reports",
]
ALLOWED = {"keras_roberta/jobs/pretrain": {"RobertaPretrainer", '"choice"'}}
ASKED = re.compile(r"num_classes\s*==\s*1\b|isinstance\(\s*task\b")


def names_in(path):
    """Names of tasks, schemas and commands, and questions about tasks, in a file."""
    text = path.read_text(encoding="utf-8")
    classes = [*(entry.class_name for entry in TASKS), *(cls.__name__ for cls in SCHEMAS.values())]
    names = {name for name in classes if re.search(rf"\b{name}\b", text)}
    quoted = {f'"{entry.command}"' for entry in TASKS if entry.command}
    names |= {name for name in quoted if name in text or name.replace('"', "'") in text}
    return names | {match[0] for match in ASKED.finditer(text)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_task_is_named(folder):
    files = list((ROOT / folder).rglob("*.py"))
    assert files, f"{folder} has moved; name its new place here"
    found = {}
    for path in files:
        name = path.relative_to(ROOT).as_posix()
        allowed = set().union(*(ALLOWED[place] for place in ALLOWED if name.startswith(place)))
        if names_in(path) - allowed:
            found[name] = names_in(path) - allowed
    assert not found


def test_what_is_looked_for_is_found():
    """In files that may name tasks."""
    # Other tests register tasks and schemas of their own.
    ours = [e for e in TASKS if e.module.startswith("keras_roberta.")]
    assert names_in(ROOT / "keras_roberta/tasks/registry.py") >= {
        *(e.class_name for e in ours),
        *(f'"{e.command}"' for e in ours if e.command),
    }
    schemas = {c.__name__ for c in SCHEMAS.values() if c.__module__.startswith("keras_roberta.")}
    assert names_in(ROOT / "keras_roberta/schemas/__init__.py") >= schemas
    assert ASKED.search("if task.num_classes == 1:") and ASKED.search("isinstance(task, X)")
