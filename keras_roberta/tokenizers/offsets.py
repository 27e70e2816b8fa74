"""Where tokens lie in a text: without white space in front, in characters or in bytes."""

from __future__ import annotations

import numpy as np

from keras_roberta.tokenizers.texts import without_surrogates

# The property White_Space of Unicode. Python's `isspace` counts four control characters among it.
WHITE_SPACE = "".join(
    c for c in map(chr, range(0x3001)) if c.isspace() and not "\x1c" <= c <= "\x1f"
)


def without_front_space(text: str, begin: int, end: int) -> tuple[int, int]:
    """A place without the white space at its front; white space alone stays.

    >>> without_front_space("a day", 1, 5)
    (2, 5)
    """
    found = text[begin:end].lstrip(WHITE_SPACE)
    return (end - len(found) if found else begin), end


def without_spaces_around(text: str, begin: int, end: int) -> tuple[int, int]:
    """A place without white space at its front and its end; one of white space alone stays.

    >>> without_spaces_around(" a day ", 0, 7)
    (1, 6)
    """
    found = text[begin:end].lstrip(WHITE_SPACE)
    if not found:
        return begin, end
    return end - len(found), end - len(found) + len(found.rstrip(WHITE_SPACE))


def places_in_bytes(text: str, places: np.ndarray) -> np.ndarray:
    """Places in characters of a text as places in its UTF-8."""
    if text.isascii():
        return places
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    sizes = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    return np.concatenate([[0], np.cumsum(sizes)])[places]


def tokens_in_bytes(tokenizer, texts: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The tokens of texts, none added, and where they lie in the UTF-8 of their texts.

    Args:
        tokenizer: `protocol.Tokenizer`
        texts: strings.

    Returns:
        for each text its ids, int32 (tokens,), and int32 (tokens, 2), the first byte of each token
        and the one behind its last
    """
    found = []
    for text, (ids, places) in zip(texts, tokenizer.encode_with_offsets(texts), strict=True):
        places = np.array(places, np.int64).reshape(-1, 2)
        in_bytes = places_in_bytes(without_surrogates(text), places)
        found.append((np.array(ids, np.int32), in_bytes.astype(np.int32)))
    return found
