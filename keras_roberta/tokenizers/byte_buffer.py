"""Texts as the byte buffers of fixed size that a `.tflite` with a tokenizer takes."""

import numpy as np

TERMINATOR = 0xFF  # in no UTF-8


def fill(texts, num_bytes):
    """UTF-8 of texts, cut at the end of a character where too long, zeros behind it.

    A text whose last character is NUL is followed by `TERMINATOR`, so that its NULs can be told
    from the zeros.

    Args:
        texts: list of str, or of bytes, of which malformed ones are replaced by U+FFFD.
        num_bytes: int, the size of each buffer.

    Returns:
        uint8 array (texts, num_bytes)

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


def encode(text):
    """UTF-8 of a text; what is not Unicode in it becomes U+FFFD.

    Args:
        text: str, in which surrogate pairs are joined and lone ones replaced; or bytes, in which
            each maximal malformed part is replaced.
    """
    if isinstance(text, str):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    else:
        text = text.decode(errors="replace")
    return text.encode()
