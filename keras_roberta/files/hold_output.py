"""What a command does before it writes to an output."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from keras_roberta.files.locks import hold, lock_beside, remove_if_left
from keras_roberta.files.output_checks import check_output_directory
from keras_roberta.files.output_errors import output_errors
from keras_roberta.files.replacing import finish_replacing
from keras_roberta.files.temporaries import sweep


@contextlib.contextmanager
def hold_output(output: str | os.PathLike, *, make: bool = False) -> Iterator[None]:
    """A context in which no other process writes to an output, put in order before.

    What a killed process left half-way is finished, and its temporaries are removed.

    Args:
        output, make: see `hold`.

    Raises:
        OutputError: it cannot be written there, or names the process that writes to it.
    """
    path = Path(output).expanduser()
    with hold(path, make=make):
        with output_errors(path):
            _put_in_order(path.resolve())
        yield


def _put_in_order(path):
    sweep(path.parent, path.name)
    if path.is_dir():
        # Of a process that was killed when it had just made the directory.
        remove_if_left(lock_beside(path))
        finish_replacing(path)
        sweep(path, path.name)
        sweep(path)


@contextlib.contextmanager
def hold_directory(out: str | os.PathLike, overwrite: bool = False) -> Iterator[None]:
    """As `hold_output`, for a directory that is new, empty, or may be overwritten.

    Raises:
        InputError: it is none of these.
    """
    check_output_directory(out, overwrite)
    with hold_output(out):
        check_output_directory(out, overwrite)  # again: what was begun before is finished now
        yield
