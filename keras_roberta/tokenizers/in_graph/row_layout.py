"""Rows as the model wants them: `<s> a </s>` or `<s> a </s></s> b </s>`, cut and padded."""

import tensorflow as tf

from keras_roberta.errors import InputError

PAD, START, END, TOKENS = range(4)  # the index into a row's sources, see `layout`


def truncated(count, pair_count, room):
    """Lengths of two texts cut to `room` tokens together, the longer one first.

    As the `tokenizers` library does it: with s <= l the lengths of the shorter and the longer one,

        s, max(s, room - s)                    if that is not more than room
        room // 2, room - room // 2            otherwise; of two equal ones the first is the shorter
    """
    shorter = tf.minimum(count, pair_count)
    longer = tf.maximum(shorter, room - shorter)
    halves = shorter + longer > room
    shorter = tf.where(halves, room // 2, shorter)
    longer = tf.where(halves, room - room // 2, longer)
    first, second = (
        tf.where(count <= pair_count, shorter, longer),
        tf.where(count <= pair_count, longer, shorter),
    )
    fits = count + pair_count <= room
    return tf.where(fits, count, first), tf.where(fits, pair_count, second)


def layout(counts, firsts, max_length, length=None):
    """Where each place of each row takes its token from.

    Args:
        counts: one or two int32 [batch], the tokens of the text, and of its pair.
        firsts: one or two int32 [batch], the index of their first tokens among all tokens.
        max_length: int, tokens in a row at most, special tokens included; None for no limit.
        length: int, the length of all rows; None: that of the longest row.

    Returns:
        int32 [batch, length]: PAD, START, END, or TOKENS + the index of a token.
    """
    around = 2 * len(counts)
    if max_length is not None:
        if max_length < around:
            raise InputError(f"max_length={max_length} leaves no room for {around} special tokens")
        room = max_length - around
        counts = truncated(*counts, room) if len(counts) == 2 else [tf.minimum(counts[0], room)]
    lengths = sum(counts) + around  # (batch,)
    if length is None:
        length = tf.reduce_max(tf.concat([lengths, [0]], 0))
    place = tf.range(length)[None]  # (1, length)
    rows = tf.where(place < lengths[:, None], END, PAD)  # (batch, length)
    begin = tf.ones_like(lengths)[:, None]  # (batch, 1), of the tokens of the text, then the pair
    for count, first in zip(counts, firsts, strict=True):
        offset, end = first[:, None] - begin, begin + count[:, None]
        rows = tf.where((place >= begin) & (place < end), TOKENS + offset + place, rows)
        begin = end + 2
    return tf.where(place == 0, START, rows)
