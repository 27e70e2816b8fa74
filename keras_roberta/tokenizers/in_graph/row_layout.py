"""Lays out the rows for the model: `<s> a </s>` or `<s> a </s></s> b </s>`, cut and padded."""

from collections.abc import Sequence

import tensorflow as tf

from keras_roberta.errors import InputError

PAD, START, END, TOKENS = range(4)  # the values that `layout` returns


def truncated(count: tf.Tensor, pair_count: tf.Tensor, room: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The lengths of two texts after they are cut to `room` tokens together.

    The longer text is cut first, as in the `tokenizers` library. If the shorter text has s tokens,
    the new lengths of the shorter and the longer text are

        s, max(s, room - s)                    if their sum is not more than room
        room // 2, room - room // 2            otherwise

    Of two texts of equal length, the first counts as the shorter one.

    Args:
        count: int32 [batch], tokens of the first texts.
        pair_count: int32 [batch], tokens of the second texts.
        room: largest number of tokens of both together.

    Returns:
        two int32 [batch], the new lengths
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


def layout(
    counts: Sequence[tf.Tensor],
    firsts: Sequence[tf.Tensor],
    max_length: int | None,
    length: int | None = None,
) -> tf.Tensor:
    """The source of the token at each position of each row.

    Args:
        counts: one or two int32 [batch], the number of tokens of each text, and of its pair.
        firsts: one or two int32 [batch], the index of their first tokens among all tokens.
        max_length: largest number of tokens in a row, special tokens included; None for no limit.
        length: the length of all rows; None: that of the longest row.

    Returns:
        int32 [batch, length]: PAD, START, END, or TOKENS + the index of a token

    Raises:
        InputError: `max_length` leaves no room for the special tokens.
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
