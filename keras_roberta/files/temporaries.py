"""What is being written lies under another name; what a killed process left of it is removed."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_roberta.files.locks import LOCK, try_lock

_NAMED = re.compile(r"\..+\.[a-z0-9_]{8}")
_open = set()  # of this process


@contextlib.contextmanager
def temporary(path: Path, directory: Path) -> Iterator[Path]:
    """A path of the same name in a directory of its own, which is removed in the end.

    The same name, since some writers look at it. The directory, `.NAME.xxxxxxxx`, has a lock file
    that tells others that somebody is at work in it.

    Args:
        path: what the file or directory will be called.
        directory: where to put it; on the same disk.
    """
    with contextlib.ExitStack() as stack:
        lock = None
        while lock is None:  # a sweep may come between the next two lines
            own = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=directory)).absolute()
            with contextlib.suppress(FileNotFoundError):
                lock = try_lock(own / LOCK)
        stack.callback(lock.release)
        stack.callback(shutil.rmtree, own, ignore_errors=True)
        _open.add(own)
        stack.callback(_open.discard, own)
        yield own / path.name


def is_in_temporary(path: Path) -> bool:
    """Whether a path lies in what this process writes under another name."""
    return not _open.isdisjoint(path.absolute().parents)


def is_temporary(path: Path) -> bool:
    """Whether a path is such a directory."""
    return bool(_NAMED.fullmatch(path.name)) and (path / LOCK).exists()


def sweep(directory: Path, name: str | None = None) -> None:
    """Removes what killed processes have left in a directory.

    Args:
        directory: where; it need not exist.
        name: only what was to become this; None: anything.
    """
    begin = "." if name is None else f".{name}."
    with contextlib.suppress(OSError):
        for found in os.listdir(directory):
            if found.startswith(begin) and _NAMED.fullmatch(found):
                with contextlib.suppress(OSError):
                    _remove_if_left(directory / found, name)


def _remove_if_left(path, name):
    if path.is_symlink():  # not made by us
        return
    content = os.listdir(path)
    # Killed before it had a lock, it is empty. Of any name that might be somebody else's.
    if LOCK not in content and (content or name is None):
        return
    lock = try_lock(path / LOCK)
    if lock is not None:
        shutil.rmtree(path, ignore_errors=True)
        lock.release()
