"""The exceptions that a user of the library is expected to meet."""

import os

_LONGEST = 1000  # characters of a message


class InputError(ValueError):
    """What the user gave cannot be used: a file, a field, an argument or a combination of them.

    The message is one line: it names the file, field or value and says what to do. The command
    line prints it as it stands, without a traceback.
    """

    def __init__(self, message: str):
        # Messages quote names from files, and those may hold line breaks, or be of any length.
        line = " ".join(message.splitlines())
        if len(line) > _LONGEST:
            line = f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"
        super().__init__(line)


class OutputError(InputError):
    """An output cannot be written: the disk is full, the place is read-only or in use.

    Args:
        path: the output.
        reason: why, in a few words.
        way_out: what to do.
    """

    def __init__(self, path: str | os.PathLike, reason: str, way_out: str):
        super().__init__(f"{path}: cannot be written ({reason}); {way_out}")
        self.path, self.reason, self.way_out = path, reason, way_out

    def __reduce__(self):  # as it comes from another process
        return type(self), (self.path, self.reason, self.way_out)


class InUseError(OutputError):
    """Another process, or another thread, writes to the output; the message names it."""


class ReadError(InputError):
    """A file could not be read: a disk or the network failed, or the permission is missing.

    The same may succeed later, with the same files.
    """


class WorkerLostError(RuntimeError):
    """Another process that trains the same model has gone; this one cannot go on without it.

    The message is one line, as an `InputError`'s.
    """
