"""One process at a time writes to an output; the next one is told which."""

import contextlib
import errno
import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from keras_roberta.errors import InUseError
from keras_roberta.files.made_directories import made_directory
from keras_roberta.files.output_errors import output_errors

LOCK = ".lock"

logger = logging.getLogger("keras_roberta")
_held = set()  # (process, thread, output)
_UNKNOWN_HERE = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


@contextlib.contextmanager
def hold(output: str | os.PathLike, *, make: bool = False) -> Iterator[None]:
    """A context in which no other process, and no other thread, writes to an output.

    The lock is the system's (`flock`) on a small file: `.lock` in a directory, `.NAME.lock` beside
    what is not there yet or a file. It ends with the process, however that ends, so that a lock
    file that was left behind locks nothing. A context within another of the same output does
    nothing.

    Args:
        output: a file or directory.
        make: make the directory. It is removed again if nothing has been put into it.

    Raises:
        OutputError: names the process that writes to it; or the place cannot be written to.
    """
    output = Path(output).expanduser()
    real = output.resolve()
    key = os.getpid(), threading.get_ident(), real
    if key in _held:
        yield
        return
    with contextlib.ExitStack() as stack:
        with output_errors(output):
            lock = None
            while lock is None:  # a process that ends takes away the directory that it made
                stack.enter_context(made_directory(real if make else real.parent))
                place = real / LOCK if real.is_dir() else lock_beside(real)
                with contextlib.suppress(FileNotFoundError):
                    lock = try_lock(place)
                    if lock is None:
                        raise InUseError(
                            output,
                            f"in use by {_holder(place)}",
                            "wait until that has ended, stop it, or give another place",
                        )
        stack.callback(lock.release)
        _held.add(key)
        stack.callback(_held.discard, key)
        lock.write(
            f"process {os.getpid()} on {socket.gethostname()} since "
            f"{time.strftime('%Y-%m-%d %H:%M:%S')}"
        )
        yield


class Lock:
    """A file that this process has locked."""

    def __init__(self, path, descriptor):
        self.path, self._descriptor, self._process = path, descriptor, os.getpid()

    def write(self, text: str) -> None:
        """Replaces the content of the file. It only informs, so a full disk is no matter."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)

    def release(self) -> None:
        """Removes the file and gives the lock back."""
        if os.getpid() == self._process:  # not in a fork, which shares the lock
            self.path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)


def try_lock(path: Path) -> Lock | None:
    """Locks a file, which is made if need be; None if another has locked it."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:  # another user's
            descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            if error.errno not in _UNKNOWN_HERE:
                os.close(descriptor)
                raise
            logger.warning("%s: this file system has no locks; start nothing twice", path.parent)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                return Lock(path, descriptor)
        os.close(descriptor)  # its holder has removed it meanwhile


def lock_beside(path: Path) -> Path:
    """The lock file of what is not a directory, or not yet."""
    return path.parent / f".{path.name}{LOCK}"


def remove_if_left(path: Path) -> None:
    """Removes a lock file unless it is locked."""
    if path.exists() and (lock := try_lock(path)) is not None:
        lock.release()


def _holder(path):
    with contextlib.suppress(OSError):
        if text := path.read_text(encoding="utf-8", errors="replace").strip():
            return text
    return "another process"
