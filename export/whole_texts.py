"""All tokens of a text of any length, by a tokenizer that reads a limited number of bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_roberta.tokenizers import byte_buffer

Tokens = tuple[np.ndarray, np.ndarray]  # ids, int32 (tokens,); offsets in bytes, int32 (tokens, 2)

# Tokens of which two parts of a text without spaces have the same bytes. A best path through the
# pieces of a Unigram model forgets where it began after a few words; so do merges.
OVERLAP = 32


def tokens_of_text(
    text: str | bytes, tokenize: Callable[[bytes], tuple[np.ndarray, np.ndarray, int]], most: int
) -> Tokens:
    """The tokens of a text, none added, put together from those of its parts.

    A part ends in front of a space: no token of a model's own vocabulary reaches from what is no
    space over one, so that the ids are those of the whole text. A part without a space, as Chinese
    has them, shares `OVERLAP` tokens with the next one, and the two are joined where both have
    a token begin. The tokens may differ from the whole text's where there is no such place, where
    one token is longer than a part, and where an added token has a space in it.

    Args:
        text: of any length.
        tokenize: function of UTF-8; gives the first tokens, their offsets in it, and how many
            tokens it has in all.
        most: bytes that `tokenize` takes.

    Returns:
        ids and offsets
    """
    utf8 = byte_buffer.encode(text)
    done: list[Tokens] = [(np.zeros(0, np.int32), np.zeros((0, 2), np.int32))]
    begin = end = 0  # where the next part begins; up to where the tokens so far reach
    while end < len(utf8):
        part = utf8[begin : begin + most].decode(errors="ignore").encode()
        ids, places, count = tokenize(part)
        places, is_cut = places + begin, len(ids) < count
        if begin < end:  # what both have stands in the last part that is done
            seam = _seam(utf8, done[-1][1], places, end)
            done[-1] = _between(*done[-1], 0, seam)
            ids, places = _between(ids, places, seam, len(utf8) + 1)
        part_end = begin + len(part)
        if part_end == len(utf8) and not is_cut:
            done.append((ids, places))
            break
        begin, end = _next_part(utf8, begin, part_end, places, is_cut=is_cut)
        done.append(_between(ids, places, 0, end))
    ids, places = (np.concatenate(parts) for parts in zip(*done, strict=True))
    return ids.astype(np.int32), places.astype(np.int32)


def _between(ids, places, low, high) -> Tokens:
    """The tokens that begin at a byte from `low` on and before `high`."""
    first, behind = np.searchsorted(places[:, 0], [low, high])
    return ids[first:behind], places[first:behind]


def _next_part(utf8, begin, part_end, places, *, is_cut) -> tuple[int, int]:
    """Where the part behind this one begins, and up to where this part's tokens count.

    Args:
        utf8: the whole text.
        begin, part_end: of this part.
        places: its tokens' offsets in the whole text.
        is_cut: whether the part has tokens behind these.
    """
    for kept in range(len(places) - is_cut, 0, -1):
        first, behind = (int(place) for place in places[kept - 1])
        if kept < len(places) and places[kept][0] < behind:
            continue  # both are pieces of one character
        if first < behind and utf8[behind : behind + 1] == b" ":
            if utf8[behind - 1 : behind] != b" ":
                return behind, behind
    begins = [place for place in _begins(utf8, places) if place > begin]
    end = begins[-1] if is_cut and begins else part_end
    shared = min(OVERLAP, len(begins) // 2)
    return (begins[-1 - shared] if shared else end), end


def _seam(utf8, before, behind, end) -> int:
    """Where to go over from the tokens of one part to those of the next: in the middle of the
    places at which both have a token begin; at the end of the first if there is none."""
    common = np.intersect1d(_begins(utf8, before), _begins(utf8, behind)[1:])
    common = common[common <= end]
    return int(common[len(common) // 2]) if len(common) else end


def _begins(utf8, places) -> list[int]:
    """Where tokens begin, at whole characters that no token in front has a part of."""
    ends = np.concatenate([[0], places[:-1, 1]]) if len(places) else []
    return [
        int(first)
        for (first, _), end in zip(places, ends, strict=True)
        if end <= first < len(utf8) and utf8[first] & 0xC0 != 0x80
    ]
