"""The exceptions that a user of the library is expected to meet."""


class InputError(ValueError):
    """What the user gave cannot be used: a file, a field, an argument or a combination of them.

    The message is one line: it names the file, field or value and says what to do. The command
    line prints it as it stands, without a traceback.
    """

    def __init__(self, message: str):
        # Messages quote names from files, and those may hold line breaks.
        super().__init__(" ".join(message.splitlines()))


class WorkerLostError(RuntimeError):
    """Another process that trains the same model has gone; this one cannot go on without it.

    The message is one line, as an `InputError`'s.
    """
