"""Masking for masked language modelling, vectorised over a batch.

Every draw is a function of the row's seed and the place in the row, so that a row is masked in the
same way in whatever batch it stands.
"""

import functools

import numpy as np
import tensorflow as tf

# SpanBERT (Joshi et al. 2020, section 3.1): lengths in words, geometric, up to ten.
_SPAN_CONTINUES = 0.8
_LONGEST_SPAN = 10
_SHORTENING = {"token": 1, "whole-word": 8, "span": 16}
_UNIT, _ROUNDING, _FATE, _RANDOM, _LAST_UNIT, _SPAN = range(6)  # what a draw is for


def num_predictions(row_length, mask_rate, units="token"):
    """Columns that hold the masked tokens of (nearly) every row.

    The share rounded up, and room for the rest of a word or span; a unit that does not fit is
    passed over.
    """
    return min(int(mask_rate * row_length) + _SHORTENING[units], row_length)


def mask_tokens(
    token_ids,
    maskable,
    *,
    num_predictions,
    vocabulary_size,
    mask_token_id,
    special_token_ids=(),
    mask_rate=0.15,
    mask_token_rate=0.8,
    random_token_rate=0.1,
    units="token",
    starts_word=None,
    seed=None,
):
    """Hides some tokens and says which: drawn anew at every call (RoBERTa, section 4.1).

    Of each row `mask_rate` of the maskable tokens are chosen, the fraction rounded up or down at
    random as fairseq does, at most `num_predictions`. Of the chosen ones `mask_token_rate` become
    `<mask>`, `random_token_rate` another token, the rest stay as they are.

    Args:
        token_ids: int32 (batch, length)
        maskable: bool (batch, length), False at specials and padding.
        num_predictions: int, columns of the output, so that shapes are static.
        vocabulary_size: random tokens are drawn below it.
        mask_token_id: id of `<mask>`.
        special_token_ids: ids never drawn as random tokens.
        units: what is chosen as one: a "token"; a "whole-word"; or a "span" of words whose number
            is geometric (SpanBERT, section 3.1), which also meets one fate. The last unit of a row
            is taken with the chance that makes the share of tokens right on average.
        starts_word: bool (vocabulary_size,), ids of tokens that begin a word; for words and spans.
        seed: int64 (batch,), one a row; None for others at every call.

    Returns:
        masked token ids, int32 (batch, length); mask positions, their true ids, int32, and their
        weights, float32 (1, or 0 for columns not used), each (batch, num_predictions). Positions
        ascend; unused columns point at 0.
    """
    batch, length = tf.unstack(tf.shape(token_ids))
    if seed is None:
        seed = tf.random.uniform([batch], maxval=2**62, dtype=tf.int64)
    draw = functools.partial(_uniform, seed)

    # Chosen: the units with the smallest draws; a token that may not be masked draws 2. The order
    # of equal draws is that of the text, so the tokens of a unit stay together.
    unit = _units(token_ids, maskable, units, starts_word, draw)  # (batch, length)
    draws = tf.where(maskable, tf.gather(draw(_UNIT, length), unit, batch_dims=1), 2.0)
    columns = tf.minimum(num_predictions, length)
    _, positions = tf.math.top_k(-draws, k=columns)  # (batch, columns), smallest draw first
    wanted = mask_rate * tf.reduce_sum(tf.cast(maskable, tf.float32), axis=1)
    wanted = tf.floor(wanted + draw(_ROUNDING, 1)[:, 0])
    used = tf.gather(maskable, positions, batch_dims=1)
    used &= _within(wanted, unit, maskable, positions, columns, draw(_LAST_UNIT, 1))

    # In the order of the text: unused columns sort behind every position.
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

    # Scatter; unused columns go to a spare column past the end.
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
    """int32 (batch, length): the number of the unit that each token is in."""
    length = tf.shape(token_ids)[1]
    if units == "token":
        return tf.broadcast_to(tf.range(length), tf.shape(token_ids))
    before = tf.pad(maskable, [[0, 0], [1, 0]])[:, :-1]
    starts = tf.gather(tf.constant(starts_word), token_ids) | (maskable != before)
    word = tf.cumsum(tf.cast(starts, tf.int32), axis=1, exclusive=False)
    word = word - word[:, :1]  # from 0
    if units == "whole-word":
        return word
    # The words are tiled with spans; those chosen later have the lengths of all.
    chances = _SPAN_CONTINUES ** np.arange(_LONGEST_SPAN)
    up_to = tf.constant(np.cumsum(chances / chances.sum()), tf.float32)
    lengths = 1 + tf.searchsorted(up_to, tf.reshape(draw(_SPAN, length), [-1]), side="right")
    lengths = tf.reshape(tf.minimum(lengths, _LONGEST_SPAN), tf.shape(token_ids))
    span = tf.searchsorted(tf.cumsum(lengths, axis=1), word, side="right")
    # A special token in between ends a span.
    gap = tf.cumsum(tf.cast(maskable != before, tf.int32), axis=1)
    change = (span != tf.roll(span, 1, 1)) | (gap != tf.roll(gap, 1, 1))
    number = tf.cumsum(tf.cast(change, tf.int32), axis=1)
    return number - number[:, :1]


def _within(wanted, unit, maskable, positions, columns, chance):
    """bool (batch, columns): of the tokens in the order of their draws, those to mask.

    Units are taken until `wanted` tokens are; the one that reaches past that is taken with the
    chance that it would be masked in part.
    """
    batch, length = tf.unstack(tf.shape(unit))
    cell = unit + tf.range(batch)[:, None] * length
    size = tf.math.unsorted_segment_sum(tf.cast(maskable, tf.int32), cell, batch * length)
    size = tf.gather(tf.gather(size, cell), positions, batch_dims=1)  # (batch, columns)
    before = tf.cumsum(tf.cast(maskable, tf.int32), axis=1, exclusive=True)
    first = tf.math.unsorted_segment_min(before, cell, batch * length)
    within = tf.gather(before - tf.gather(first, cell), positions, batch_dims=1)
    begin = tf.range(columns) - within  # tokens in the units chosen before
    reach = tf.cast(begin, tf.float32) + chance * tf.cast(size, tf.float32)
    return (reach < wanted[:, None]) & (begin + size <= columns)


def _uniform(seed, purpose, columns):
    """float32 (batch, columns) in [0, 1): a hash of the row's seed, the purpose and the column.

    MurmurHash3's 32-bit finaliser, over both halves of the seed.
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
