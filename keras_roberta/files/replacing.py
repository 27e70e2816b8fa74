"""Files of a directory replaced together, also where the process is killed in the middle.

The new files come into the directory as `.replacement`, complete. That name decides: from here on
they are what the directory holds. The old files are removed next, then the new ones get their
names. So old and new are never there side by side, and whoever finds a `.replacement`, the next
command or the next reader, can finish what was begun.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from keras_roberta.errors import InputError, InUseError, OutputError
from keras_roberta.files.durable import force_to_disk
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.locks import hold

REPLACEMENT = ".replacement"
_PLAN = ".plan.json"
_PATIENCE = 10.0  # seconds for another process to rename some files


def replace_files(
    new: Path, directory: Path, *, last: str | None = None, replaces: Sequence[str] = ()
) -> None:
    """Moves the files of a directory into another one, in place of those of the same names.

    Args:
        new: on the same disk as `directory`, and forced to it.
        directory: what holds other files keeps them.
        last: the file that is removed first and named last. Without it the directory is nothing
            that a reader would open.
        replaces: patterns with `*` of more files to remove; one in a folder counts where the new
            files have that folder too.

    Raises:
        OutputError: a file would take a directory's place, or the other way round.
    """
    files = [p.relative_to(new).as_posix() for p in new.rglob("*") if not p.is_dir()]
    files.sort(key=lambda name: (name == last, name))
    patterns = [p for p in replaces if "*" in str(Path(p).parent) or (new / p).parent.is_dir()]
    found = (path for pattern in patterns for path in directory.glob(pattern) if not path.is_dir())
    found = (path.relative_to(directory) for path in found)
    old = {path.as_posix() for path in found if not path.parts[0].startswith(".")}
    for name in files:
        if (directory / name).is_dir():
            raise OutputError(directory, f"{name} is a directory", "remove that first")
    plan = {"files": files, "removed": sorted(old - set(files))}
    (new / _PLAN).write_text(json.dumps(plan), encoding="utf-8")
    force_to_disk(new / _PLAN)
    force_to_disk(new)
    os.rename(new, directory / REPLACEMENT)
    force_to_disk(directory)
    _finish(directory)


def finish_replacing(directory: str | os.PathLike) -> None:
    """Ends what a killed process has begun; where nothing has been begun, does nothing.

    Raises:
        InputError: the directory cannot be written to, or another process is at it.
    """
    directory = Path(directory)
    until = time.monotonic() + _PATIENCE
    while (directory / REPLACEMENT).is_dir():
        try:
            with hold(directory):
                _finish(directory)
        except (OSError, OutputError) as error:
            if isinstance(error, InUseError) and time.monotonic() < until:
                time.sleep(0.05)
                continue
            raise InputError(
                f"{directory}: a command was killed while it replaced the files here, and this one "
                f"cannot finish that ({getattr(error, 'reason', None) or reason_of(error)}); run "
                "it again where the directory can be written to"
            ) from None


def _finish(directory):
    new = directory / REPLACEMENT
    with contextlib.suppress(FileNotFoundError):  # else all was done but the last removal
        plan = json.loads((new / _PLAN).read_text(encoding="utf-8"))
        waiting = [name for name in plan["files"] if (new / name).exists()]
        for name in [*reversed(waiting), *plan["removed"]]:
            (directory / name).unlink(missing_ok=True)
        for name in waiting:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(new / name, directory / name)
        for name in plan["removed"]:
            with contextlib.suppress(OSError):
                (directory / name).parent.rmdir()
        for folder in {(directory / name).parent for name in plan["files"]} | {directory}:
            force_to_disk(folder)
    shutil.rmtree(new)
