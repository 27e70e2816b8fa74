"""Moves on vectors that the rest is written in: shift, keep some entries, repeat each.

Each works with a length known only when the graph runs (size None: the batched tokenizer) and with
a length fixed when it is traced (the static tokenizer, whose vectors end in zeros).
"""

import tensorflow as tf


def look_up(table, index):
    """table[index] for int32 `index` [n]."""
    if index.shape[0] is None:  # TensorFlow's GatherNd takes half the time of its Gather,
        return tf.gather_nd(table, tf.expand_dims(index, 1))
    return tf.gather(table, index)  # in TFLite it is the other way round


def previous(x, steps=1, fill=0):
    """x[i - steps], and `fill` where there is none."""
    filled = tf.concat([tf.fill([steps], tf.cast(fill, x.dtype)), x], 0)
    return tf.slice(filled, [0], tf.shape(x))  # in TFLite five times as fast as filled[:-steps]


def following(x, steps=1, fill=0):
    """x[i + steps], and `fill` where there is none."""
    filled = tf.concat([x, tf.fill([steps], tf.cast(fill, x.dtype))], 0)
    return tf.slice(filled, [steps], tf.shape(x))


def covered(width, longest):
    """Whether an entry lies within the width, at most `longest`, of one before it: bool [n]."""
    reached = tf.zeros_like(width, tf.bool)
    for distance in range(1, longest):
        reached |= previous(width, distance) > distance
    return reached


def keep_where(keep, *columns, size=None):
    """The entries of each int32 column [n] where bool `keep` [n] holds, in their order.

    With a `size` the kept entries move to the front and zeros fill the rest, [size].
    """
    if size is None:
        index = tf.cast(tf.where(keep)[:, 0], tf.int32)  # (kept,)
        return [look_up(column, index) for column in columns]
    place = tf.where(keep, tf.cumsum(tf.cast(keep, tf.int32)) - 1, size)  # (n,), the last is a bin
    place = tf.expand_dims(place, 1)  # not place[:, None]: TFLite copies that one by one
    kept = (tf.scatter_nd(place, column, [size + 1]) for column in columns)
    return [tf.slice(column, [0], [size]) for column in kept]


def repeat_index(counts, size=None):
    """Index of each entry as often as `counts` [n] says: [2, 0, 3] -> [0, 0, 2, 2, 2].

    With a `size` the result is cut or filled to it, filled with the last index.
    """
    ends = tf.cumsum(counts)  # (n,)
    total = tf.reduce_sum(counts) if size is None else size
    # Entry i + 1 begins where entry i ends; entries of no length add up at the same place.
    steps = tf.scatter_nd(
        tf.expand_dims(tf.minimum(ends, total), 1), tf.ones_like(ends), [total + 1]
    )
    index = tf.slice(tf.cumsum(steps), [0], [total])
    return index if size is None else tf.minimum(index, tf.size(counts) - 1)
