"""Keeps what C++ libraries print off the error output; they write past Python's `sys.stderr`."""

import contextlib
import os
import sys
import tempfile
import threading

_lock = threading.Lock()  # the descriptor is the process's


@contextlib.contextmanager
def stderr_without(noise):
    """Drops what matches from file descriptor 2. After an exception all of it is shown.

    Args:
        noise: compiled pattern of bytes.
    """
    if sys.stderr is not None:
        sys.stderr.flush()
    with _lock, contextlib.ExitStack() as stack:
        try:
            held_back = stack.enter_context(tempfile.TemporaryFile())
            descriptor = os.dup(2)
        except OSError:  # no error output, or no place for files: nothing can be held back
            yield
            return
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            noise = None
            raise
        finally:
            os.dup2(descriptor, 2)
            held_back.seek(0)
            written = held_back.read()
            os.write(descriptor, written if noise is None else noise.sub(b"", written))
            os.close(descriptor)
