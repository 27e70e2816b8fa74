"""Opens files that others name: regular ones alone.

A read of a FIFO waits for a writer, one of a device may never end or have an effect.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of

_OTHERS = {
    stat.S_ISFIFO: "a FIFO (named pipe)",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
_LONGEST_NAME = 255  # bytes, of all common file systems


def check_regular(path: str | os.PathLike, *, hint: str = "") -> int:
    """Checks that a path is a regular file, for libraries that open it by themselves.

    Args:
        path: the file; a symbolic link counts as what it leads to.
        hint: what to do, or to ask oneself, where there is no such file.

    Returns:
        its size in bytes.

    Raises:
        InputError: there is none, or it is a directory, a FIFO, a socket or a device.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file{hint and '; '}{hint}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None
    except ValueError:  # a NUL, or a half of a surrogate pair
        raise InputError(f"{str(path)!r:.200}: no file can have this name") from None
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path}: cannot be read (Is a directory)")
    for is_kind, kind in _OTHERS.items():
        if is_kind(found.st_mode):
            raise InputError(f"{path}: is {kind}; give a regular file with its contents")
    return found.st_size


def open_regular(path: str | os.PathLike, *, hint: str = "") -> BinaryIO:
    """Opens a regular file for reading bytes.

    Raises:
        InputError: see `check_regular`.
    """
    check_regular(path, hint=hint)
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None


def read_regular(path: str | os.PathLike, *, at_most: int | None = None, hint: str = "") -> bytes:
    """The content of a regular file.

    Args:
        path: the file.
        at_most: bytes; None for any number.
        hint: see `check_regular`.

    Raises:
        InputError: see `check_regular`; or the file is larger.
    """
    size = check_regular(path, hint=hint)
    if at_most is not None and size > at_most:
        raise InputError(
            f"{path}: has {size:,} bytes; such a file has at most {at_most:,}; is it another's?"
        )
    with open_regular(path, hint=hint) as file:
        try:
            return file.read() if at_most is None else file.read(at_most)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None


def is_file_name(name: object) -> bool:
    """Whether a name that a file gives may be that of a file in the same directory.

    >>> [is_file_name(x) for x in ("model-1.safetensors", "../a", "/a", "..", "", 3, 256 * "a")]
    [True, False, False, False, False, False, False]
    """
    if not isinstance(name, str) or name in ("", ".", "..") or "\0" in name or "\\" in name:
        return False
    try:
        length = len(os.fsencode(name))
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return length <= _LONGEST_NAME and Path(name).name == name
