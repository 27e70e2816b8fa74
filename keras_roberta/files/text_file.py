"""Reads text that others wrote: UTF-8, with or without a byte order mark."""

import codecs
from pathlib import Path

from keras_roberta.errors import InputError
from keras_roberta.files.regular_file import read_regular

# The longer ones first: UTF-32's begins with UTF-16's.
_OTHER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_text_lines(path: str | Path) -> list[str]:
    """The lines of a text file, without their ends.

    Raises:
        InputError: it cannot be read, is empty, or is not UTF-8.
    """
    path = Path(path).expanduser()
    data = read_regular(path)
    return lines_of_bytes(data, str(path))


def lines_of_bytes(data: bytes, name: str, *, errors: str = "strict") -> list[str]:
    """The lines of UTF-8 text, without their ends.

    Args:
        name: for messages.
        errors: "replace" for U+FFFD in place of what is not UTF-8.

    Raises:
        InputError: there is nothing, or it is in another encoding.

    >>> lines_of_bytes(b"\\xef\\xbb\\xbfone\\r\\ntwo\\n", "a.txt")
    ['one', 'two']
    """
    text = text_of_bytes(data, name, errors=errors)
    # Files that were joined have a mark at the beginning of each.
    lines = [line.removesuffix("\r").removeprefix("\ufeff") for line in text.split("\n")]
    if not lines[-1]:
        lines.pop()
    if not lines:
        raise InputError(f"{name}: holds no texts")
    return lines


def text_of_bytes(data: bytes, name: str, *, errors: str = "strict") -> str:
    """UTF-8 text, without a mark at its beginning.

    Args:
        name, errors: see `lines_of_bytes`.

    Raises:
        InputError: it is in another encoding.
    """
    check_encoding(data, name)
    try:
        return data.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{name}, line {line}: not UTF-8; convert the file to UTF-8") from None


def check_encoding(start: bytes, name: str) -> None:
    """Raises an InputError where the first bytes of a file are another encoding's mark."""
    for mark, encoding in _OTHER_MARKS.items():
        if start.startswith(mark):
            raise InputError(
                f"{name}: is {encoding}, not UTF-8; convert it, as with iconv -t UTF-8"
            )
