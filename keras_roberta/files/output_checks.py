"""Whether a command can write where it is told to, asked before it works."""

import os
from pathlib import Path

from keras_roberta.errors import InputError
from keras_roberta.files.locks import LOCK, hold
from keras_roberta.files.output_errors import output_errors
from keras_roberta.files.temporaries import is_temporary


def check_output_directory(out: str | os.PathLike, overwrite: bool) -> None:
    """Raises unless `out` is new, empty, or may be overwritten."""
    out = Path(out).expanduser()
    with output_errors(out):
        if out.is_file():
            raise InputError(f"{out}: is a file; --out names a directory")
        check_writable(out)
        if not overwrite and not is_empty(out):
            raise InputError(
                f"{out}: exists and is not empty; give another --out, or overwrite=True "
                "(--overwrite)"
            )


def check_output_file(out: str | os.PathLike) -> None:
    """Raises unless a file may be written there; one that is there is replaced."""
    out = Path(out).expanduser()
    with output_errors(out):
        if out.is_dir():
            raise InputError(f"{out}: is a directory; give a file")
    check_writable(out)


def check_writable(out: str | os.PathLike) -> None:
    """Raises where nothing may be written to a file or directory, or made in its place.

    Raises:
        OutputError: for want of permission, or since another process is at it.
    """
    with hold(out):
        pass


def is_empty(directory: Path) -> bool:
    """Whether a directory is not there, or holds nothing but what killed processes left."""
    if not directory.is_dir():
        return not directory.exists()
    return all(path.name == LOCK or is_temporary(path) for path in directory.iterdir())
