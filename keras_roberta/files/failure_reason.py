"""Why something failed, in a few words."""


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
