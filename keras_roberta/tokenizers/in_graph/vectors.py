"""Basic operations on vectors: look up, shift, keep some entries, repeat each entry.

They work with a length that is known only when the graph runs (`size` None, in the batched
tokenizer) and with a length that is fixed when the graph is traced (in the static tokenizer, whose
vectors end with zeros).
"""

import numpy as np
import tensorflow as tf


def narrow(table: np.ndarray) -> np.ndarray:
    """A table of whole numbers in 8, 16 or 32 bits, as few as hold it."""
    least, most = int(table.min(initial=0)), int(table.max(initial=0))
    for dtype in (np.int8, np.int16):
        if np.iinfo(dtype).min <= least and most <= np.iinfo(dtype).max:
            return table.astype(dtype)
    return table.astype(np.int32)


def look_up(table: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """table[index], for an int32 `index` [n]."""
    if index.shape[0] is None:  # TensorFlow's GatherNd takes half the time of its Gather,
        return tf.gather_nd(table, tf.expand_dims(index, 1))
    return tf.gather(table, index)  # in TFLite, Gather is the faster one


def previous(x: tf.Tensor, steps: int = 1, fill: int | bool = 0) -> tf.Tensor:
    """x[i - steps] for each i, and `fill` at the first `steps` entries."""
    filled = tf.concat([tf.fill([steps], tf.cast(fill, x.dtype)), x], 0)
    return tf.slice(filled, [0], tf.shape(x))  # in TFLite five times as fast as filled[:-steps]


def following(x: tf.Tensor, steps: int = 1, fill: int | bool = 0) -> tf.Tensor:
    """x[i + steps] for each i, and `fill` at the last `steps` entries."""
    filled = tf.concat([x, tf.fill([steps], tf.cast(fill, x.dtype))], 0)
    return tf.slice(filled, [steps], tf.shape(x))


def covered(width: tf.Tensor, longest: int) -> tf.Tensor:
    """Whether an earlier entry extends over each entry: bool [n].

    Args:
        width: int32 [n], the number of entries that each entry extends over, itself included.
        longest: int, the largest width.
    """
    place = tf.range(tf.size(width))
    reach, window = place + width, 1  # the entries, this one the last, whose furthest reach it is
    while window < longest - 1:
        reach = tf.maximum(reach, previous(reach, window))
        window *= 2
    return previous(reach) > place


def reachable(sure: tf.Tensor, jumps: tf.Tensor, size: int | None) -> tf.Tensor:
    """The places to which jumps lead from some, these included, found by doubling: bool [n].

    Args:
        sure: bool [n], where the jumps begin.
        jumps: int32 [n], from each place to which other one.
        size: n if it is static, else None.
    """
    n = tf.size(jumps) if size is None else size

    def double(found, jumps, grows):
        to = tf.expand_dims(tf.where(found, jumps, n), 1)  # n takes the rest
        hits = tf.scatter_nd(to, tf.ones_like(jumps), tf.reshape(n + 1, [1]))
        more = found | (tf.slice(hits, [0], tf.reshape(n, [1])) > 0)
        return more, look_up(jumps, jumps), tf.reduce_any(more != found)

    return tf.while_loop(
        lambda found, jumps, grows: grows,
        double,
        [sure, jumps, tf.constant(True)],
        shape_invariants=[sure.shape, jumps.shape, tf.TensorShape([])],
    )[0]


def keep_where(keep: tf.Tensor, *columns: tf.Tensor, size: int | None = None) -> list[tf.Tensor]:
    """The entries of each column where `keep` is True, in their order.

    Args:
        keep: bool [n].
        *columns: int32 [n] each.
        size: n if it is static, else None.

    Returns:
        int32 [kept] for each column. If `size` is given: int32 [size], with zeros behind the kept
        entries.
    """
    if size is None:
        index = tf.cast(tf.where(keep)[:, 0], tf.int32)  # (kept,)
        return [look_up(column, index) for column in columns]
    place = tf.where(
        keep, tf.cumsum(tf.cast(keep, tf.int32)) - 1, size
    )  # (n,), the last place collects the rest
    place = tf.expand_dims(place, 1)  # not place[:, None], which TFLite copies one by one
    kept = (tf.scatter_nd(place, column, [size + 1]) for column in columns)
    return [tf.slice(column, [0], [size]) for column in kept]


def repeat_index(counts: tf.Tensor, size: int | None = None) -> tf.Tensor:
    """Repeats the index of each entry: [2, 0, 3] -> [0, 0, 2, 2, 2].

    Args:
        counts: int32 [n], how often to repeat each index.
        size: length of the result, which is cut or filled with the last index. None: the sum of
            `counts`.

    Returns:
        int32 [size]
    """
    ends = tf.cumsum(counts)  # (n,)
    total = tf.reduce_sum(counts) if size is None else size
    # Entry i + 1 begins where entry i ends. Entries with the count 0 add up at the same place.
    steps = tf.scatter_nd(
        tf.expand_dims(tf.minimum(ends, total), 1), tf.ones_like(ends), [total + 1]
    )
    index = tf.slice(tf.cumsum(steps), [0], [total])
    return index if size is None else tf.minimum(index, tf.size(counts) - 1)
