"""Masking for masked language modelling, vectorised over a batch.

Each random number is a function of the row's seed and the position in the row. So the masking of a
row does not depend on the other rows of its batch.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_roberta.tokenizers import Tokenizer

# SpanBERT (Joshi et al. 2020, section 3.1): a geometric number of words, up to ten.
_SPAN_CONTINUES = 0.8
_LONGEST_SPAN = 10
_SHORTENING = {"token": 1, "whole-word": 8, "span": 16}
_UNIT, _ROUNDING, _FATE, _RANDOM, _LAST_UNIT, _SPAN = range(6)  # the purposes of random numbers


def num_predictions(row_length: int, mask_rate: float, units: str = "token") -> int:
    """The number of columns that is enough for the masked tokens of nearly every row.

    It is the masked share of the row, rounded up, plus some columns for the rest of a word or
    span. In rare rows, a unit that does not fit is not masked.

    Args:
        row_length: tokens in a row.
        mask_rate: share of the tokens to mask.
        units: "token", "whole-word" or "span"; see `mask_tokens`.
    """
    return min(int(mask_rate * row_length) + _SHORTENING[units], row_length)


def arguments_of(tokenizer: Tokenizer) -> dict[str, Any]:
    """What a tokenizer decides of the arguments of `mask_tokens`, by their names.

    Where ids have gaps those that no token has are never used either.
    """
    size = tokenizer.vocabulary_size
    no_token = np.setdiff1d(np.arange(size), list(tokenizer.vocabulary.values()))
    return {
        "vocabulary_size": size,
        "mask_token_id": tokenizer.mask_token_id,
        "special_token_ids": (*tokenizer.special_token_ids, *no_token.tolist()),
    }


def mask_tokens(
    token_ids: tf.Tensor,
    maskable: tf.Tensor,
    *,
    num_predictions: int,
    vocabulary_size: int,
    mask_token_id: int,
    special_token_ids: Sequence[int] = (),
    mask_rate: float = 0.15,
    mask_token_rate: float = 0.8,
    random_token_rate: float = 0.1,
    units: str = "token",
    starts_word: np.ndarray | None = None,
    seed: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Masks random tokens of each row (Liu et al., 2019, RoBERTa, section 4.1).

    In each row, `mask_rate` of the maskable tokens are chosen, but at most `num_predictions`. A
    fractional number is rounded up or down at random, as in fairseq. Of the chosen tokens,
    `mask_token_rate` become `<mask>`, `random_token_rate` become another token, and the rest stay
    as they are.

    Args:
        token_ids: int32 (batch, length).
        maskable: bool (batch, length), False at special tokens and padding.
        num_predictions: columns of the output, so that shapes are static.
        vocabulary_size: random tokens have ids below it.
        mask_token_id: id of `<mask>`.
        special_token_ids: ids that are never used as random tokens. `arguments_of` has this and
            the two above as a tokenizer says them.
        mask_rate: share of the maskable tokens to choose.
        mask_token_rate: share of the chosen tokens that become `<mask>`.
        random_token_rate: share of the chosen tokens that become another token.
        units: what is chosen as a whole: a "token", a "whole-word", or a "span" with a geometric
            number of words (Joshi et al., 2020, SpanBERT, section 3.1). All tokens of a span are
            replaced in the same way. The last unit of a row is chosen with a probability that
            makes the share of chosen tokens right on average.
        starts_word: bool (vocabulary_size,), whether the token of each id begins a word. Needed
            for words and spans.
        seed: int64 (batch,), a seed for each row. None: other random numbers at every call.

    Returns:
        token_ids: int32 (batch, length), masked.
        positions: int32 (batch, num_predictions), the chosen positions, ascending; 0 in unused
            columns.
        labels: int32 (batch, num_predictions), the true ids at the positions; 0 in unused columns.
        weights: float32 (batch, num_predictions), 1, or 0 in unused columns.
    """
    batch, length = tf.unstack(tf.shape(token_ids))
    if seed is None:
        seed = tf.random.uniform([batch], maxval=2**62, dtype=tf.int64)
    draw = functools.partial(_uniform, seed)

    # Each unit has a random number, and the units with the smallest numbers are chosen. A token
    # that is not maskable has the number 2. Equal numbers keep the order of the text, so the tokens
    # of a unit stay together.
    unit = _units(token_ids, maskable, units, starts_word, draw)  # (batch, length)
    draws = tf.where(maskable, tf.gather(draw(_UNIT, length), unit, batch_dims=1), 2.0)
    columns = tf.minimum(num_predictions, length)
    _, positions = tf.math.top_k(-draws, k=columns)  # (batch, columns), smallest number first
    wanted = mask_rate * tf.reduce_sum(tf.cast(maskable, tf.float32), axis=1)
    wanted = tf.floor(wanted + draw(_ROUNDING, 1)[:, 0])
    used = tf.gather(maskable, positions, batch_dims=1)
    used &= _within(wanted, unit, maskable, positions, columns, draw(_LAST_UNIT, 1))

    # Back to the order of the text; unused columns sort behind all positions.
    positions = tf.sort(tf.where(used, positions, length), axis=1)
    used = positions < length
    positions = tf.where(used, positions, 0)
    spare = [[0, 0], [0, num_predictions - columns]]
    positions, used = tf.pad(positions, spare), tf.pad(used, spare)
    labels = tf.gather(token_ids, positions, batch_dims=1)  # (batch, num_predictions)

    places = tf.gather(unit, positions, batch_dims=1) if units == "span" else positions
    fate = tf.gather(draw(_FATE, length), places, batch_dims=1)
    ordinary = np.setdiff1d(np.arange(vocabulary_size), [*special_token_ids, mask_token_id])
    choice = tf.gather(draw(_RANDOM, length), positions, batch_dims=1)
    choice = tf.cast(choice * tf.cast(len(ordinary), tf.float32), tf.int32)
    random_ids = tf.gather(tf.constant(ordinary, tf.int32), choice)
    replacement = tf.where(fate < mask_token_rate + random_token_rate, random_ids, labels)
    replacement = tf.where(fate < mask_token_rate, mask_token_id, replacement)

    # Scatter the replacements; unused columns go to a spare column behind the row.
    rows = tf.broadcast_to(tf.range(batch)[:, None], tf.shape(positions))
    target = tf.stack([rows, tf.where(used, positions, length)], axis=-1)
    masked = tf.tensor_scatter_nd_update(tf.pad(token_ids, [[0, 0], [0, 1]]), target, replacement)
    return (
        masked[:, :length],
        positions,
        labels * tf.cast(used, tf.int32),
        tf.cast(used, tf.float32),
    )


def _units(token_ids, maskable, units, starts_word, draw):
    """The number of the unit that each token belongs to: int32 (batch, length)."""
    length = tf.shape(token_ids)[1]
    if units == "token":
        return tf.broadcast_to(tf.range(length), tf.shape(token_ids))
    before = tf.pad(maskable, [[0, 0], [1, 0]])[:, :-1]
    starts = tf.gather(tf.constant(starts_word), token_ids) | (maskable != before)
    word = tf.cumsum(tf.cast(starts, tf.int32), axis=1, exclusive=False)
    word = word - word[:, :1]  # from 0
    if units == "whole-word":
        return word
    # All words are divided into spans, and some spans are chosen later. So the chosen spans have
    # the same distribution of lengths.
    chances = _SPAN_CONTINUES ** np.arange(_LONGEST_SPAN)
    up_to = tf.constant(np.cumsum(chances / chances.sum()), tf.float32)
    lengths = 1 + tf.searchsorted(up_to, tf.reshape(draw(_SPAN, length), [-1]), side="right")
    lengths = tf.reshape(tf.minimum(lengths, _LONGEST_SPAN), tf.shape(token_ids))
    span = tf.searchsorted(tf.cumsum(lengths, axis=1), word, side="right")
    # A special token between two words ends a span.
    gap = tf.cumsum(tf.cast(maskable != before, tf.int32), axis=1)
    change = (span != tf.roll(span, 1, 1)) | (gap != tf.roll(gap, 1, 1))
    number = tf.cumsum(tf.cast(change, tf.int32), axis=1)
    return number - number[:, :1]


def _within(wanted, unit, maskable, positions, columns, chance):
    """Which tokens to mask, in the order of their random numbers: bool (batch, columns).

    Units are chosen until there are `wanted` tokens. The unit that exceeds this number is chosen
    with the probability `(tokens still wanted) / (tokens of the unit)`.
    """
    batch, length = tf.unstack(tf.shape(unit))
    cell = unit + tf.range(batch)[:, None] * length
    size = tf.math.unsorted_segment_sum(tf.cast(maskable, tf.int32), cell, batch * length)
    size = tf.gather(tf.gather(size, cell), positions, batch_dims=1)  # (batch, columns)
    before = tf.cumsum(tf.cast(maskable, tf.int32), axis=1, exclusive=True)
    first = tf.math.unsorted_segment_min(before, cell, batch * length)
    within = tf.gather(before - tf.gather(first, cell), positions, batch_dims=1)
    begin = tf.range(columns) - within  # number of tokens in the units chosen before
    reach = tf.cast(begin, tf.float32) + chance * tf.cast(size, tf.float32)
    return (reach < wanted[:, None]) & (begin + size <= columns)


def _uniform(seed, purpose, columns):
    """Random numbers from a hash of the row's seed, the purpose and the column.

    The hash is MurmurHash3's 32-bit finaliser, applied to both halves of the seed.

    Returns:
        float32 (batch, columns) in [0, 1)
    """
    low = tf.cast(tf.bitwise.bitwise_and(seed, 0xFFFFFFFF), tf.uint32)
    high = tf.cast(tf.bitwise.right_shift(seed, 32), tf.uint32)
    row = _mixed(low ^ _mixed(high + tf.constant(0x9E3779B9 * (purpose + 1) % 2**32, tf.uint32)))
    place = tf.cast(tf.range(columns), tf.uint32) * tf.constant(0x85EBCA77, tf.uint32)
    bits = _mixed(_mixed(row[:, None] + place) ^ row[:, None])
    return tf.cast(tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24


def _mixed(bits):
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = bits ^ tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint32))
        bits = bits * tf.constant(factor, tf.uint32)
    return bits ^ tf.bitwise.right_shift(bits, tf.constant(16, tf.uint32))
