"""Sums of scores as sentencepiece adds them up: in float32, through a whole text, from the left.

Pieces of which two rows are nearly equally good are told apart by the rounding of these sums, and
that depends on all that stands before. So where it decides, a segment starts from the exact sum
before it.
"""

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.vectors import keep_where, look_up

ROUNDING = 2.0**-24  # of a float32, the largest relative error


def may_differ(margins, offsets, magnitudes):
    """Whether the rounding of sums can turn a choice: bool [n].

    Two sums are compared, each made by as many additions as there are characters from the start of
    the segment at most, once with and once without what stands before. Each addition is off by
    half of the last bit of a number that is no larger than the text's whole sum.

    Args:
        margins: float32 [n], by how much the best sum is above the next one.
        offsets: int32 [n], characters from the start of the segment.
        magnitudes: float32 [n], the absolute sum of the scores of the text.
    """
    additions = tf.cast(offsets + 1, tf.float32)
    return margins <= 4.4 * ROUNDING * additions * magnitudes


def sums_before(
    scores: tf.Tensor, texts: tf.Tensor, wanted: tf.Tensor, size: int | None
) -> tf.Tensor:
    """The sum of the scores before each token in its text: float32 [tokens].

    Args:
        scores: float32 [tokens]
        texts: int32 [tokens], numbers of texts, ascending; behind the last token anything.
        wanted: bool [texts], of which texts; the sums of others are 0.
        size: tokens if static, else None.
    """
    if size is not None:  # one text after the other; adding zeros changes nothing

        def add(text, sums):
            running = tf.cumsum(tf.where(texts == text, scores, 0.0), exclusive=True)
            return text + 1, tf.where(texts == text, running, sums)

        last = tf.reduce_max(texts)
        state = (tf.constant(0), tf.zeros_like(scores))
        return tf.while_loop(lambda text, sums: text <= last, add, state)[1]
    index, kept, text = keep_where(look_up(wanted, texts), tf.range(tf.size(scores)), scores, texts)
    counts = tf.math.bincount(text, minlength=tf.size(wanted))
    row = tf.cumsum(tf.cast(counts > 0, tf.int32), exclusive=True)
    row = look_up(row, text)
    column = tf.range(tf.size(kept)) - look_up(tf.cumsum(counts, exclusive=True), text)
    places = tf.stack([row, column], 1)
    matrix = tf.scatter_nd(
        places, kept, [tf.reduce_max(tf.concat([row, [-1]], 0)) + 1, tf.reduce_max(counts)]
    )
    sums = tf.gather_nd(tf.cumsum(matrix, axis=1, exclusive=True), places)
    return tf.scatter_nd(index[:, None], sums, tf.shape(scores))
