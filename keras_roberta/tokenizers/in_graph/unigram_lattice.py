"""The best way to cut texts into pieces: Viterbi in all segments of all texts at once.

Boundaries that no piece crosses cut texts into segments: words, parts of words, and Chinese or Thai
sentences too. What is best in a segment does not depend on what lies around it, so that there are
as many rounds as the longest segment has characters, however long the texts are.

All is said in boundaries: boundary i lies before character i. A path is the length of its piece at
each boundary at which one ends, and 0 elsewhere.
"""

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.vectors import following, keep_where, look_up, reachable
from keras_roberta.tokenizers.unigram.tables import NO_PIECE


class Segments:
    """Where segments lie.

    Args:
        starts: bool [n], boundaries that no piece crosses. The first is one.
        size: n if it is static, else None.

    Attributes:
        begins: int32 [segments], the boundary before each; static [n] with zeros behind.
        number: int32 [n], the segment that ends at each start, and that each other boundary is in.
        count: int32, how many there are; n for static ones.
    """

    def __init__(self, starts: tf.Tensor, size: int | None):
        n = tf.size(starts) if size is None else size
        (self.begins,) = keep_where(starts, tf.range(n), size=size)
        ones = tf.cast(starts, tf.int32)
        self.number = tf.cumsum(ones) - 1 - ones
        self.count = tf.size(self.begins) if size is None else size

    def containing(self, marks: tf.Tensor) -> tf.Tensor:
        """Whether each boundary is of a segment that has a marked one: bool [n]."""
        marks = tf.math.unsorted_segment_max(tf.cast(marks, tf.int32), self.number, self.count)
        return (look_up(marks, tf.maximum(self.number, 0)) > 0) & (self.number >= 0)


class Lattice:
    """The pieces that end at each boundary.

    Args:
        scores: float32 [n, longest], at [boundary, longest - length] that of the piece of this
            length which ends at the boundary, `NO_PIECE` where there is none.
        starts: bool [n], see `Segments`.
        inside: bool [n], whether there is a character before the boundary.
        segments: `Segments`
        size: n if it is static, else None.
    """

    def __init__(self, scores, starts, inside, segments, size):
        self.scores, self.starts, self.inside = scores, starts, inside
        self.segments, self.size = segments, size
        self.longest = scores.shape[1]
        self.steps = tf.range(self.longest)[None]  # (1, longest)
        self.front = tf.fill([self.longest], NO_PIECE)  # what lies before the first boundary
        self.place = tf.range(tf.size(starts) if size is None else size)

    def best_path(self, first: tf.Tensor, old: tf.Tensor, of: tf.Tensor):
        """The best path through some segments.

        Args:
            first: float32 [n], at each start the sum of the scores before it.
            old: int32 [n], the path through the others.
            of: bool [n], whether a boundary is of a segment to look at.

        Returns:
            path: int32 [n]
            margins: float32 [n], at each boundary of the path by how much the best sum there is
                above the next one; large elsewhere.
        """
        best = tf.where(self.starts, first, NO_PIECE)  # what is not known yet cannot win
        if self.size is None:
            return self._batched(best, tf.where(of, 0, old), of)
        return self._static(best)

    def _sums(self, best, at, scores):
        """The sums of the paths that end with each piece before a boundary: [k, longest]."""
        return tf.gather(best, at[:, None] + self.steps) + scores  # `best` has its front

    def _choice(self, best, at, scores):
        """The length of the best piece that ends at each boundary, and its margin.

        Of several best ones it is the longest, as sentencepiece keeps the first that it finds.
        """
        sums = self._sums(best, at, scores)
        top = tf.reduce_max(sums, 1, keepdims=True)
        lengths = self.longest - self.steps
        length = tf.reduce_max(tf.where(sums == top, lengths, 0), 1)
        others = tf.where(lengths == length[:, None], NO_PIECE, sums)
        return length, tf.reshape(top, [-1]) - tf.reduce_max(others, 1)

    def _batched(self, best, path, of):
        """A round for each boundary within a segment: of all segments the first, then the second.

        With the segments by decreasing length those that have a t-th one are always the first.
        """
        begins, n = self.segments.begins, tf.size(self.place)
        lengths = following(begins, fill=n) - begins
        lengths = tf.where(look_up(of, tf.minimum(begins + lengths, n - 1)), lengths, 0)
        rank = tf.math.invert_permutation(tf.argsort(lengths, direction="DESCENDING"))
        inner, segment = keep_where(of & ~self.starts, self.place, self.segments.number)
        offset = inner - look_up(begins, segment)  # from 1
        last = tf.reduce_max(tf.concat([offset, [0]], 0))
        counts = tf.math.bincount(offset, minlength=last + 1)
        firsts = tf.cumsum(counts, exclusive=True)
        order = look_up(firsts, offset) + look_up(rank, segment)
        inner = tf.scatter_nd(order[:, None], inner, tf.shape(inner))
        inner_scores = tf.gather(self.scores, inner)

        def forward(t, best):
            at = tf.slice(inner, [firsts[t]], [counts[t]])
            scores = tf.slice(inner_scores, [firsts[t], 0], [counts[t], -1])
            sums = tf.reduce_max(self._sums(best, at, scores), 1)
            return t + 1, tf.tensor_scatter_nd_update(best, at[:, None] + self.longest, sums)

        def back(at, path, margins):
            length, margin = self._choice(best, at, tf.gather(self.scores, at))
            path = tf.tensor_scatter_nd_update(path, at[:, None], length)
            margins = tf.tensor_scatter_nd_update(margins, at[:, None], margin)
            at -= length
            return (*keep_where(~look_up(self.starts, at), at), path, margins)

        best = tf.concat([self.front, best], 0)
        best = tf.while_loop(lambda t, best: t <= last, forward, (1, best))[1]
        (ends,) = keep_where(self.starts & self.inside & of, self.place)
        margins = tf.fill(tf.shape(path), -NO_PIECE)
        any_size = tf.TensorShape([None])
        _, path, margins = tf.while_loop(
            lambda at, path, margins: tf.size(at) > 0,
            back,
            (ends, path, margins),
            (any_size, any_size, any_size),
        )
        return path, margins

    def _static(self, first):
        """All boundaries in each round, until none changes: as many rounds as pieces in a row."""

        def forward(best, changed):
            sums = self._sums(tf.concat([self.front, best], 0), self.place, self.scores)
            better = tf.where(self.starts, first, tf.reduce_max(sums, 1))
            return better, tf.reduce_any(better != best)

        state = (first, tf.constant(True))
        best = tf.while_loop(lambda best, changed: changed, forward, state)[0]
        best = tf.concat([self.front, best], 0)
        length, margins = self._choice(best, self.place, self.scores)
        length = tf.where(self.inside, length, 0)
        jumps = tf.maximum(self.place - length, 0)
        on_path = reachable(self.starts, jumps, self.size) & (length > 0)
        return tf.where(on_path, length, 0), tf.where(on_path, margins, -NO_PIECE)
