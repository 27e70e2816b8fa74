"""The pieces that sentencepiece cuts texts into.

First the best way through each segment by itself. Where that depends on the rounding of the sums
of scores, once more with sentencepiece's own sums. They depend on what was chosen before, so that
this is repeated until nothing changes: from left to right, each segment is right once those before
it are.
"""

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.running_sums import may_differ, sums_before
from keras_roberta.tokenizers.in_graph.unigram_lattice import (
    BatchedLattice,
    Segments,
    StaticLattice,
)
from keras_roberta.tokenizers.in_graph.unigram_pieces import FoundPieces
from keras_roberta.tokenizers.in_graph.vectors import keep_where, look_up, previous


def best_path(found: FoundPieces, texts: tf.Tensor, size: int | None) -> tf.Tensor:
    """The length of the piece that ends at each boundary, 0 where none does: int32 [n].

    Args:
        found: the pieces in a vector of characters.
        texts: int32 [n], the number of each character's text; 0 at barriers.
        size: n if it is static, else None.
    """
    place = tf.range(tf.size(texts) if size is None else size)
    segments = Segments(found.starts, size)
    inside = previous(texts) > 0
    if size is None:
        lattice = BatchedLattice(found, inside, segments)
    else:
        lattice = StaticLattice(found, inside)
    scores = tf.reshape(found.scores, [-1])
    # What is summed up by itself: all between two barriers. Of each boundary, that which ends there
    # or goes across.
    stretches = tf.cumsum(tf.cast(texts == 0, tf.int32)) - 1
    count = (tf.reduce_max(stretches) if size is None else size) + 1
    stretches = previous(stretches)

    def scores_of(ends, lengths):
        """The scores of pieces; 0 for those of the length 0."""
        return tf.where(lengths > 0, look_up(scores, found.slots(ends, lengths)), 0.0)

    everywhere, nothing = tf.ones_like(found.starts), tf.zeros_like(texts)
    path, margins = lattice.best_path(tf.cast(nothing, tf.float32), nothing, everywhere)
    magnitudes = tf.math.unsorted_segment_sum(tf.abs(scores_of(place, path)), stretches, count)
    offsets = place - look_up(segments.begins, tf.maximum(segments.number, 0))
    doubts = (path > 0) & may_differ(margins, offsets, look_up(magnitudes, stretches))
    wanted = tf.math.unsorted_segment_max(tf.cast(doubts, tf.int32), stretches, count) > 0
    doubtful = segments.containing(doubts)

    def again(path, changed):
        ends, lengths, of = keep_where(path > 0, place, path, stretches, size=size)
        sums = sums_before(scores_of(ends, lengths), of, wanted, size)
        # In static vectors there are zeros behind the tokens: they are all sent to the first
        # boundary, before a barrier, where no piece begins.
        first = tf.scatter_nd(tf.expand_dims(ends - lengths, 1), sums, tf.shape(path))
        better, _ = lattice.best_path(first, path, doubtful)
        return better, tf.reduce_any(better != path)

    def until_the_same():
        state = (path, tf.constant(True))
        return tf.while_loop(lambda path, changed: changed, again, state)[0]

    # Not a loop of no rounds, which in TFLite copies all that its rounds would read.
    return tf.cond(tf.reduce_any(doubts), until_the_same, lambda: path)
