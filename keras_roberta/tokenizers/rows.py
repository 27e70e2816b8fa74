"""Rows of ids as arrays, with the places of their tokens where these are asked for."""

from __future__ import annotations

from itertools import chain

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.protocol import AlignedTokens
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout


def ragged(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ids as all ids, int32 (total,), and how many each row has, int64 (rows,).

    >>> ragged([[5, 6], [7]])
    (array([5, 6, 7], dtype=int32), array([2, 1]))
    """
    row_lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    values = np.fromiter(chain.from_iterable(rows), np.int32, int(row_lengths.sum()))
    return values, row_lengths


def aligned_rows(
    layout: SpecialTokenLayout, firsts: list, seconds: list | None, budget: int | None
) -> AlignedTokens:
    """Rows of texts whose tokens have places.

    Args:
        firsts: for each text its ids and the places of its tokens, see
            `Tokenizer.encode_with_offsets`.
        seconds: the same for the second texts of pairs, or None.
        budget: see `SpecialTokenLayout.budget`.
    """
    # By text: its ids, the places of its tokens, and which text of the row it is.
    halves = [_ids_places_sides(firsts, 0)]
    if seconds is not None:
        check_pairs(firsts, seconds)
        halves.append(_ids_places_sides(seconds, 1))
    around = (layout, layout.filled((0, 0)), layout.filled(-1))
    ids, places, sides = (
        part.rows(first, *(second or [None]), budget)
        for part, first, *second in zip(around, *halves, strict=True)
    )
    token_ids, row_lengths = ragged(ids)
    total = len(token_ids)
    numbers = chain.from_iterable(chain.from_iterable(places))
    return AlignedTokens(
        token_ids,
        row_lengths,
        np.fromiter(numbers, np.int32, 2 * total).reshape(total, 2),
        np.fromiter(chain.from_iterable(sides), np.int8, total),
    )


def check_pairs(firsts: list, seconds: list | None) -> None:
    """Raises an InputError if there are not as many second texts as first ones."""
    if seconds is not None and len(firsts) != len(seconds):
        raise InputError(f"text_pairs: {len(seconds)} of them for {len(firsts)} texts")


def _ids_places_sides(encoded, side):
    """Of what `encode_with_offsets` gave: the ids of each text, the places, and the side again and
    again."""
    ids = [ids for ids, _ in encoded]
    return ids, [places for _, places in encoded], [[side] * len(row) for row in ids]


def check_ids(row: list[int]) -> None:
    """Raises an InputError if one of them can be no id."""
    if row and not 0 <= min(row) <= max(row) < 2**32:
        worst = min(row) if min(row) < 0 else max(row)
        raise InputError(f"{worst} is not an id; leave out what masks labels")
