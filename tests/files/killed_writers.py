"""Writes files in processes that are killed at each of their calls of the system.

    python killed_writers.py SCENARIO DIRECTORY

A process of its own, without TensorFlow, so that it forks in a moment.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import sys

from old_and_new import NEW, OLD, content, fill, write_new

from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.files.hold_output import hold_output
from keras_roberta.files.replacing import finish_replacing

CALLS = ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync", "open", "scandir", "chmod")


def killed_at(number, function):
    """Runs a function in a process that is killed at one of its calls of the system.

    Returns:
        whether it was killed.
    """
    child = os.fork()
    if not child:
        calls = 0

        def counted(call):
            def replacement(*args, **kwargs):
                nonlocal calls
                calls += 1
                if calls == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **kwargs)

            return replacement

        with contextlib.suppress(BaseException):
            for name in CALLS:
                setattr(os, name, counted(getattr(os, name)))
            function()
            os._exit(0)
        os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert status == 0 or os.WIFSIGNALED(status)
    return status != 0


def directory_replaced(tmp_path):
    found, number, out = [], 0, tmp_path / "out"
    while True:
        number += 1
        shutil.rmtree(out, ignore_errors=True)
        fill(out, OLD | {"mine": "kept"})
        killed = killed_at(number, lambda: write_new(out, last="config.json", replaces=["head"]))
        here = content(out)
        if "config.json" in here:  # whoever opens it now finds all of it, old or new
            assert here in (OLD | {"mine": "kept"}, NEW | {"mine": "kept"})
        finish_replacing(out)
        found.append(content(out))
        assert found[-1] in (OLD | {"mine": "kept"}, NEW | {"mine": "kept"})
        with hold_output(out):
            pass
        assert {p.name for p in tmp_path.iterdir()} == {"out"}
        assert not [p.name for p in out.iterdir() if p.name.startswith(".")]
        if not killed:
            break
    places = [texts["config.json"] for texts in found]
    assert "old" in places and places == sorted(places, reverse=True) and number > 20
    assert places[:-1].count("new") > 3


def new_directory(tmp_path):
    killed, number, texts = True, 0, {"a": "new", "b": "new"}
    while killed:
        number += 1
        out = tmp_path / f"out{number}"
        killed = killed_at(number, lambda out=out: write_new(out, texts))
        assert not out.exists() or content(out) == texts
        with hold_output(out):
            pass
    assert number > 10 and content(out) == texts
    assert not list(tmp_path.glob(".*"))


def file_replaced(tmp_path):
    path, killed, number = tmp_path / "a.json", True, 0

    def write():
        with atomic_file(path) as temporary:
            temporary.write_text("new")

    while killed:
        number += 1
        path.write_text("old")
        killed = killed_at(number, write)
        assert path.read_text() in ("old", "new")
        with hold_output(path):
            pass
        assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert path.read_text() == "new"


SCENARIOS = {f.__name__: f for f in (directory_replaced, new_directory, file_replaced)}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](pathlib.Path(sys.argv[2]))
