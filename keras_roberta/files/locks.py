"""One process at a time writes to an output; the next one is told which."""

import contextlib
import errno
import fcntl
import logging
import os
import socket
import stat
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
_ATTEMPTS = 100
_AS_IT_LIES = os.O_NOFOLLOW | os.O_NONBLOCK  # no link's target, no wait for a FIFO's other end
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
            lock, attempts = None, 0
            while lock is None:
                stack.enter_context(made_directory(real if make else real.parent))
                try:
                    lock = _lock_output(output, real)
                except FileNotFoundError:  # a process that ends removes the directory that it made
                    attempts += 1
                    if attempts == _ATTEMPTS:
                        raise
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
            with contextlib.suppress(OSError):  # another user's, in a directory as /tmp is
                self.path.unlink()
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)


def _lock_output(output, real):
    """Locks an output; None if it has appeared or gone meanwhile."""
    beside = lock_beside(real)
    place = real / LOCK if real.is_dir() else beside
    lock = try_lock(place)
    if lock is None:
        raise _in_use(output, place)
    if place == beside and real.is_dir():  # others lock it inside from now on
        lock.release()
        return None
    if place != beside and beside.exists():
        # Whoever began when there was no directory yet still holds the one beside it.
        other = try_lock(beside)
        if other is None:
            lock.release()
            raise _in_use(output, beside)
        other.release()
    return lock


def _in_use(output, place):
    return InUseError(
        output,
        f"in use by {_holder(place)}",
        "wait until that has ended, stop it, or give another place",
    )


def try_lock(path: Path) -> Lock | None:
    """Locks a file, which is made if need be; None if another has locked it.

    Raises:
        OSError: the file may not be made; or what is there is no file that a lock of ours would
            be. A directory that comes from elsewhere may have a link in its place, and the holder
            of a lock writes into the file.
    """
    while True:
        if path.is_symlink():
            raise _no_lock_of_ours(path)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _AS_IT_LIES, 0o666)
        except PermissionError:
            if not path.exists():
                raise
            descriptor = os.open(path, os.O_RDONLY | _AS_IT_LIES)  # another user's
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            os.close(descriptor)
            raise _no_lock_of_ours(path)
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


def _no_lock_of_ours(path):
    return FileExistsError(errno.EEXIST, f"{path.name} is no lock of this library")


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
