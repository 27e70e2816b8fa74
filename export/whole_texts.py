"""All tokens of a text of any length, by a tokenizer that reads a limited number of bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_roberta.tokenizers import byte_buffer

Tokens = tuple[np.ndarray, np.ndarray]  # ids, int32 (tokens,); offsets in bytes, int32 (tokens, 2)


def tokens_of_text(
    text: str | bytes, tokenize: Callable[[bytes], tuple[np.ndarray, np.ndarray, int]], most: int
) -> Tokens:
    """The tokens of a text, none added, put together from those of its parts.

    A part ends in front of a space: no token of a byte-level BPE reaches from what is no space
    over one, so that the ids are those of the whole text. Where a part has no space it ends at a
    token, and the next part may have other tokens there than the whole text.

    Args:
        text: of any length.
        tokenize: function of UTF-8; gives the first tokens, their offsets in it, and how many
            tokens it has in all.
        most: bytes that `tokenize` takes.

    Returns:
        ids and offsets
    """
    utf8 = byte_buffer.encode(text)
    ids, offsets, begin = [], [], 0
    while begin < len(utf8):
        part = utf8[begin : begin + most].decode(errors="ignore").encode()
        found, places, count = tokenize(part)
        is_last = begin + len(part) == len(utf8) and len(found) == count
        kept, end = len(found), len(part)
        if not is_last:
            kept, end = _whole_words(utf8, begin, places, is_cut=len(found) < count) or (kept, end)
        ids.append(found[:kept])
        offsets.append(places[:kept] + begin)
        begin += end
    nothing = np.zeros(0, np.int32)
    return (
        np.concatenate([nothing, *ids]).astype(np.int32),
        np.concatenate([nothing.reshape(0, 2), *offsets]).astype(np.int32),
    )


def _whole_words(utf8, begin, places, *, is_cut) -> tuple[int, int] | None:
    """How many tokens of a part to keep, and how many of its bytes these stand for.

    Args:
        utf8: the whole text.
        begin: where the part begins in it.
        places: offsets of the part's tokens.
        is_cut: whether the part has tokens behind these.
    """
    for kept in range(len(places) - is_cut, 0, -1):
        first, behind = (int(place) for place in places[kept - 1])
        if kept < len(places) and places[kept][0] < behind:
            continue  # both are pieces of one character
        if first < behind and utf8[begin + behind : begin + behind + 1] == b" ":
            if utf8[begin + behind - 1 : begin + behind] != b" ":
                return kept, behind
    if not is_cut:
        return None
    for kept in range(len(places) - 1, 0, -1):  # at least whole characters
        first = int(places[kept][0])
        if first and first >= places[kept - 1][1] and utf8[begin + first] & 0xC0 != 0x80:
            return kept, first
    return None
