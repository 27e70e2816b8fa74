"""Files of a directory replaced together, also where the process is killed in the middle.

The new files come into the directory as `.replacement`, complete. That name decides: from here on
they are what the directory holds. The old files are removed next, then the new ones get their
names. So old and new are never there side by side, and whoever finds a `.replacement`, the next
command or the next reader, can finish what was begun.

A directory may come from anybody, with a `.replacement` in it that no command of ours has left. So
nothing is moved or removed before all that it names was found to lie in the directory itself.
"""

import contextlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from keras_roberta.errors import InputError, InUseError, OutputError
from keras_roberta.files.durable import force_to_disk
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.locks import hold

REPLACEMENT = ".replacement"
_PLAN = ".plan.json"
_PATIENCE = 10.0  # seconds for another process to rename some files


def replace_files(
    new: Path, directory: Path, *, last: str | None = None, replaces: Sequence[str] = ()
) -> None:
    """Moves the files of one directory into another, where they replace those of the same names.

    All other files of `directory` stay, except those that match `replaces`.

    Args:
        new: the directory of the new files. It is on the same disk as `directory`, is already
            forced to the disk, and is gone afterwards.
        directory: the directory that the files go to.
        last: the new file without which no reader would open the directory, such as its config.
            The old one of this name is removed before any other, and the new one comes after all
            others.
        replaces: patterns, with `*`, of old files to remove besides. A pattern that names a folder,
            such as `assets/*`, only counts if the new files have that folder too.

    Raises:
        OutputError: a file would take a directory's place, or the other way round; or a folder of
            `directory` is a link to another one.
    """
    if os.path.lexists(directory / REPLACEMENT):
        raise OutputError(directory, f"{REPLACEMENT} is a file or a link", "remove that first")
    files = sorted(_files_in(new), key=lambda name: (name == last, name))
    patterns = [p for p in replaces if "*" in str(Path(p).parent) or (new / p).parent.is_dir()]
    found = (path for pattern in patterns for path in files_within(directory, pattern))
    found = {path.relative_to(directory).as_posix() for path in found}
    removed = sorted(found - set(files))
    for name in (*files, *removed):
        if obstacle := _obstacle(directory, name):
            raise OutputError(directory, obstacle, "remove that first")
    plan = {"files": files, "removed": removed}
    (new / _PLAN).write_text(json.dumps(plan), encoding="utf-8")
    force_to_disk(new / _PLAN)
    force_to_disk(new)
    os.rename(new, directory / REPLACEMENT)
    force_to_disk(directory)
    _finish(directory)


def files_within(directory: Path, pattern: str) -> Iterator[Path]:
    """The files of a directory that match a pattern, without those in a folder that is a link.

    What lies in a hidden folder of `directory`, or is hidden itself, is none of a model's files.
    """
    for path in directory.glob(pattern):
        name = path.relative_to(directory)
        folders = [directory / folder for folder in name.parents[:-1]]
        is_file = path.is_symlink() or not path.is_dir()
        if is_file and name.parts[0][0] != "." and not any(map(os.path.islink, folders)):
            yield path


def finish_replacing(directory: str | os.PathLike) -> None:
    """Finishes a replacement of files that a killed process has begun, if there is one.

    Raises:
        InputError: the directory cannot be written to, another process is at it, or what is begun
            there is none of ours.
    """
    directory = Path(directory)
    until = time.monotonic() + _PATIENCE
    while _is_begun(directory):
        try:
            with hold(directory):
                if _is_begun(directory):  # another process may have been faster
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


def _is_begun(directory):
    path = directory / REPLACEMENT
    if path.is_symlink():
        raise _foreign(path, "is a link")
    return path.is_dir()


def _finish(directory):
    files, removed = _read_plan(directory)
    new = directory / REPLACEMENT
    waiting = [name for name in files if (new / name).exists()]
    for name in (*reversed(waiting), *removed):
        (directory / name).unlink(missing_ok=True)
    for name in waiting:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(new / name, directory / name)
    for name in removed:
        with contextlib.suppress(OSError):  # other files are in it
            (directory / name).parent.rmdir()
    for folder in {(directory / name).parent for name in files} | {directory}:
        force_to_disk(folder)
    shutil.rmtree(new)


def _read_plan(directory):
    """What is to be done, of which all is known to concern files of the directory alone.

    Returns:
        names of the new files in the order in which they get their places, and of the old ones to
        remove; none where all was done but the removal of `.replacement`.

    Raises:
        InputError: the plan is damaged, or none of ours.
    """
    new = directory / REPLACEMENT
    try:
        lying = _files_in(new)
    except OutputError as error:
        raise _foreign(new, error.reason) from None
    if _PLAN not in lying:
        if lying:
            raise _foreign(new, f"has no {_PLAN}")
        return [], []
    plan = read_json_object(new / _PLAN, hint="")
    files, removed = plan.get("files"), plan.get("removed")
    for names in (files, removed):
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _foreign(new / _PLAN, "is damaged")
    if unknown := lying - {_PLAN, *files}:
        raise _foreign(new / _PLAN, f"does not name {min(unknown)!r}")
    for name in (*files, *removed):
        if obstacle := _obstacle(directory, name):
            raise _foreign(new / _PLAN, obstacle)
    return files, removed


def _foreign(path, problem):
    return InputError(
        f"{path}: {problem}, so it is nothing that this library left half-done; nothing was "
        f"changed; remove {REPLACEMENT} if you trust the rest, else the directory"
    )


def _files_in(directory):
    """Names of the files in a directory, at any depth.

    Raises:
        OutputError: there is something else than regular files and folders.
    """
    names = set()
    for folder, subfolders, files in os.walk(directory, onerror=_raise):
        for name in (*subfolders, *files):
            path = Path(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                names.add(path.relative_to(directory).as_posix())
            elif not stat.S_ISDIR(mode):
                inner = path.relative_to(directory).as_posix()
                raise OutputError(directory, f"{inner} is no regular file", "remove that first")
    return names


def _raise(error):
    raise error


def _obstacle(directory, name):
    """Why no file of a directory can have a name, or None where one can."""
    parts = name.split("/")
    if parts[0].startswith(".") or not all(parts) or not {".", ".."}.isdisjoint(parts):
        return f"{name!r} is no name of a file in it"
    path = directory
    for part in parts:
        path /= part
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return None
        except ValueError:  # a zero byte, or half a surrogate pair
            return f"{name!r} is no name of a file in it"
        inner = path.relative_to(directory).as_posix()
        if path == directory / name:
            return f"{inner} is a directory" if stat.S_ISDIR(mode) else None
        if not stat.S_ISDIR(mode):
            return f"{inner} is no directory"
    return None
