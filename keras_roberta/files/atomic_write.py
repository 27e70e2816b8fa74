"""Files and directories that appear whole or not at all."""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from keras_roberta.errors import OutputError
from keras_roberta.files.durable import force_to_disk, force_tree_to_disk
from keras_roberta.files.hold_output import hold_output
from keras_roberta.files.locks import LOCK
from keras_roberta.files.made_directories import made_directory
from keras_roberta.files.output_errors import output_errors
from keras_roberta.files.replacing import replace_files
from keras_roberta.files.temporaries import is_in_temporary, temporary


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path beside `path`; it is renamed on success and removed on failure.

    The file is on the disk before it gets its name. It has the permissions of the one that it
    replaces, else those of the umask.

    Raises:
        OutputError: the disk is full, or the place cannot be written to.
    """
    path = Path(path).expanduser()
    with output_errors(path), made_directory(path.parent):
        if is_in_temporary(path):  # which will be whole or not at all
            yield path
            return
        with temporary(path, path.parent) as found:
            yield found
            kept = path if path.exists() else found.parent / LOCK
            os.chmod(found, stat.S_IMODE(kept.stat().st_mode))
            force_to_disk(found)
            os.replace(found, path)
            force_to_disk(path.parent)


@contextlib.contextmanager
def atomic_directory(
    path: str | os.PathLike, *, last: str | None = None, replaces: Sequence[str] = ()
) -> Iterator[Path]:
    """Yields a temporary directory; what is in it becomes the content of `path` on success.

    Where there is no such directory yet it is renamed to it. Otherwise its files replace those of
    the same names; see `replace_files`. Other files stay.

    Args:
        path: the directory.
        last: the file without which no reader would open the directory; see `replace_files`.
        replaces: patterns of files that go in any case, as they would be taken for a part of the
            new ones; see `replace_files`.

    Raises:
        OutputError: the disk is full, the place cannot be written to, or another process writes
            to it.
    """
    path = Path(path).expanduser()
    if is_in_temporary(path):
        path.mkdir(parents=True, exist_ok=True)
        yield path
        return
    with output_errors(path), contextlib.ExitStack() as stack:
        if path.exists() and not path.is_dir():
            raise OutputError(path, "it is a file", "give the name of a directory")
        stack.enter_context(hold_output(path))
        # Inside where it is there: it may be another disk.
        place = path if path.is_dir() else path.parent
        found = stack.enter_context(temporary(path.resolve(), place))
        found.mkdir()
        yield found
        _open_to_readers(found, (found.parent / LOCK).stat().st_mode)
        force_tree_to_disk(found)
        if path.is_dir():
            replace_files(found, path, last=last, replaces=replaces)
        else:
            os.rename(found, path)
            force_to_disk(path.parent)


def _open_to_readers(directory, mode):
    """Gives files the permissions of the umask; some libraries write for their owner alone."""
    for folder, _, names in os.walk(directory):
        for name in names:
            os.chmod(os.path.join(folder, name), stat.S_IMODE(mode))
