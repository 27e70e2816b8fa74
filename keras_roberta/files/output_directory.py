"""Whether a command can write where it is told to, and what is said if it cannot."""

import contextlib
import os
from pathlib import Path

from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of


def check_output_directory(out, overwrite):
    """Raises unless `out` is new, empty, or may be overwritten."""
    out = Path(out).expanduser()
    if out.is_file():
        raise InputError(f"{out}: is a file; --out names a directory")
    check_writable(out)
    if not overwrite and out.is_dir() and any(out.iterdir()):
        raise InputError(
            f"{out}: exists and is not empty; give another --out, or overwrite=True (--overwrite)"
        )


def check_output_file(out):
    """Raises unless a file may be written there; one that is there is replaced."""
    out = Path(out).expanduser()
    if out.is_dir():
        raise InputError(f"{out}: is a directory; give a file")
    check_writable(out)


def check_writable(out):
    """Raises where nothing may be written to a file or directory, or made in its place."""
    parent = next(path for path in out.absolute().parents if path.exists())
    if not parent.is_dir() or not os.access(out if out.is_dir() else parent, os.W_OK):
        raise InputError(f"{out}: cannot be written there; give another --out")


@contextlib.contextmanager
def output_errors(out):
    """A disk that is full, or may not be written to, as an `InputError`."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({reason_of(error)}); once that is put right the "
            "same command goes on from here"
        ) from None
