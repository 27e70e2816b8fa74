"""Files of one entry a line, as vocabularies and merges are."""

from pathlib import Path

from keras_roberta.errors import InputError
from keras_roberta.files.json_file import LARGEST
from keras_roberta.files.regular_file import read_regular


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text that are not empty.

    Raises:
        InputError: there is no such file, or it is no such text.
    """
    # Not splitlines(): it would also split at characters that tokens may hold.
    lines = (line.removesuffix("\r") for line in _read_text(path).split("\n"))
    return [line for line in lines if line]


def _read_text(path: Path) -> str:
    if not path.exists():
        raise InputError(f"{path}: missing; it belongs to the files beside it")
    try:
        return read_regular(path, at_most=LARGEST).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; is the download complete?") from None
