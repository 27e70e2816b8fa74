"""Texts as byte buffers of fixed size: the input of a `.tflite` with a tokenizer."""

from collections.abc import Sequence

import numpy as np

TERMINATOR = 0xFF  # a byte that never occurs in UTF-8


def fill(texts: Sequence[str | bytes], num_bytes: int) -> np.ndarray:
    """Puts each text into a byte buffer as UTF-8, followed by zeros.

    A text that is too long is cut at the end of a character. A text whose last character is NUL is
    followed by the byte `TERMINATOR`, which separates its own NULs from the zeros.

    Args:
        texts: strings, or bytes, in which malformed UTF-8 becomes U+FFFD.
        num_bytes: the size of each buffer in bytes.

    Returns:
        uint8 (texts, num_bytes)

    >>> fill(["ab", "éé", chr(0)], 3).tolist()
    [[97, 98, 0], [195, 169, 0], [0, 255, 0]]
    """
    buffer = np.zeros([len(texts), num_bytes], np.uint8)
    for row, text in zip(buffer, texts, strict=True):
        utf8 = encode(text)[:num_bytes].decode(errors="ignore").encode()
        if utf8.endswith(b"\0"):
            utf8 = utf8[: num_bytes - 1] + bytes([TERMINATOR])
        row[: len(utf8)] = np.frombuffer(utf8, np.uint8)
    return buffer


def encode(text: str | bytes) -> bytes:
    """The UTF-8 of a text. Parts that are not valid Unicode become U+FFFD.

    Args:
        text: a str, in which surrogate pairs are joined and lone surrogates are replaced; or
            bytes, in which each maximal malformed part is replaced.
    """
    if isinstance(text, str):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    else:
        text = text.decode(errors="replace")
    return text.encode()
