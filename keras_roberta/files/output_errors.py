"""A disk that is full, or may not be written to, as one line."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from keras_roberta.errors import InputError, InUseError, OutputError
from keras_roberta.files.failure_reason import reason_of

_FULL = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]
# What libraries that raise errors of their own quote: TensorFlow, safetensors, HDF5.
_QUOTED = [*_FULL, os.strerror(errno.EROFS)]
_OF_NUMPY = re.compile(r"\d+ requested and \d+ written")
# Not of files.
_OTHERS = (ConnectionError, ChildProcessError, TimeoutError, BlockingIOError, InterruptedError)


@contextlib.contextmanager
def output_errors(out: str | os.PathLike, way_out: str | None = None) -> Iterator[None]:
    """A context in which an output is written: what the system refuses is an `OutputError`.

    Args:
        out: the file or directory that is written.
        way_out: what to do, for the message; None: give another place, or make room.

    Raises:
        OutputError: the system refused to write.
        InputError: it refused something with a file elsewhere, which is named.

    >>> with output_errors("model"):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    keras_roberta.errors.OutputError: model: cannot be written (No space left on device); \
make room or give another place
    """
    try:
        yield
    except InUseError:
        raise
    except OutputError as error:  # from within, where less is known of what to do
        raise OutputError(out, error.reason, way_out or error.way_out) from None
    except InputError:
        raise
    except Exception as error:
        elsewhere = _elsewhere(error, out)
        if elsewhere is not None:
            raise InputError(
                f"{elsewhere}: {reason_of(error)}; put that right and run it again"
            ) from None
        reason = _reason(error)
        if reason is None:
            raise
        if way_out is None:
            way_out = f"{'make room or ' if reason in _FULL else ''}give another place"
        raise OutputError(out, reason, way_out) from None


def _reason(error):
    if _OF_NUMPY.search(str(error)):
        return os.strerror(errno.ENOSPC)
    if isinstance(error, OSError) and not isinstance(error, _OTHERS):
        return reason_of(error)
    return next((text for text in _QUOTED if text in str(error)), None)


def _elsewhere(error, out):
    """The file that an error names, if that is no part of the output."""
    name = getattr(error, "filename", None)
    if not isinstance(error, OSError) or not isinstance(name, (str, bytes, os.PathLike)):
        return None
    path, place = (Path(os.path.realpath(os.fsdecode(p))) for p in (name, out))
    is_part = path == place or place in path.parents or path in place.parents
    # Temporaries, locks and the like lie beside it.
    is_part = is_part or any(part.startswith(f".{place.name}.") for part in path.parts)
    return None if is_part else path
