"""Why something failed, in a few words."""

import os


def reason_of(error: BaseException) -> str:
    """One line that says why: never empty, whatever the error carries.

    An `OSError` may come without the system's text, and any error without a message.

    >>> reason_of(FileNotFoundError(2, "No such file or directory", "a.json"))
    'No such file or directory'
    >>> reason_of(OSError())
    'OSError'
    """
    text = str(getattr(error, "strerror", None) or error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def system_text(number: int) -> str:
    """What the system says for one of its error numbers (`errno`)."""
    return os.strerror(number)
