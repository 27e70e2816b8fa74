"""The best way to cut texts into pieces: Viterbi in all segments of all texts at once.

Boundaries that no piece crosses cut texts into segments: words, parts of words, and Chinese or Thai
sentences too. What is best in a segment does not depend on what lies around it, so that there are
as many rounds as the longest segment has characters, however long the texts are.

All is said in boundaries: boundary i lies before character i. A path is the length of its piece at
each boundary at which one ends, and 0 elsewhere.
"""

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.unigram_pieces import FoundPieces
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


class BatchedLattice:
    """The pieces that end at each boundary of vectors of any length.

    Args:
        found: `FoundPieces`
        inside: bool [n], whether there is a character before the boundary.
        segments: `Segments`
    """

    def __init__(self, found: FoundPieces, inside: tf.Tensor, segments: Segments):
        self.scores, self.starts, self.inside = found.scores, found.starts, inside
        self.segments, self.longest = segments, found.scores.shape[1]
        self.steps = tf.range(self.longest)[None]  # (1, longest)
        self.front = tf.fill([self.longest], NO_PIECE)  # what lies before the first boundary
        self.place = tf.range(tf.size(inside))

    def best_path(
        self, first: tf.Tensor, old: tf.Tensor, of: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The best path through some segments.

        A round for each boundary within a segment: of all segments the first, then the second. With
        the segments by decreasing length those that have a t-th one are always the first.

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
        path = tf.where(of, 0, old)
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
            sums = self._sums(best, at, tf.gather(self.scores, at))
            length, margin = choice(sums, self.longest - self.steps, 1)
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

    def _sums(self, best, at, scores):
        """The sums of the paths that end with each piece before a boundary: [k, longest]."""
        return tf.gather(best, at[:, None] + self.steps) + scores  # `best` has its front


class StaticLattice:
    """The pieces that end at each boundary of vectors of a static length.

    Args:
        found: `FoundPieces`
        inside: bool [n], whether there is a character before the boundary.
    """

    def __init__(self, found: FoundPieces, inside: tf.Tensor):
        self.scores, self.starts, self.inside = found.scores, found.starts, inside
        self.longest, self.size = found.scores.shape[0], found.size
        self.lengths = tf.range(self.longest, 0, -1)[:, None]  # (longest, 1)
        self.front = tf.fill([self.longest], NO_PIECE)  # what lies before the first boundary

    def best_path(
        self, first: tf.Tensor, old: tf.Tensor, of: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The best path, as `BatchedLattice.best_path` finds it, but through all segments.

        All boundaries in each round, until none changes: as many rounds as pieces in a row.
        """
        del old, of

        def forward(best, changed):
            better = tf.where(self.starts, first, tf.reduce_max(self._sums(best), 0))
            return better, tf.reduce_any(better != best)

        best = tf.where(self.starts, first, NO_PIECE)  # what is not known yet cannot win
        state = (best, tf.constant(True))
        best = tf.while_loop(lambda best, changed: changed, forward, state)[0]
        length, margins = choice(self._sums(best), self.lengths, 0)
        length = tf.where(self.inside, length, 0)
        jumps = tf.maximum(tf.range(self.size) - length, 0)
        on_path = reachable(self.starts, jumps, self.size) & (length > 0)
        return tf.where(on_path, length, 0), tf.where(on_path, margins, -NO_PIECE)

    def _sums(self, best):
        """The sums of the paths that end with each piece before a boundary: [longest, n]."""
        best = tf.concat([self.front, best], 0)
        # In TFLite these slices take an eighth of the time of a gather.
        before = [tf.slice(best, [row], [self.size]) for row in range(self.longest)]
        return tf.stack(before) + self.scores


def choice(sums: tf.Tensor, lengths: tf.Tensor, axis: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The best piece that ends at each boundary.

    Of several best ones it is the longest, as sentencepiece keeps the first that it finds.

    Args:
        sums: float32 [k, longest] or [longest, k], of the paths that end with each piece.
        lengths: int32 [1, longest] or [longest, 1], of the pieces.
        axis: that of the pieces.

    Returns:
        length: int32 [k]
        margins: float32 [k], by how much it is above the next one.
    """
    top = tf.reduce_max(sums, axis, keepdims=True)
    length = tf.reduce_max(tf.where(sums == top, lengths, 0), axis, keepdims=True)
    others = tf.where(lengths == length, NO_PIECE, sums)
    return tf.squeeze(length, axis), tf.squeeze(top, axis) - tf.reduce_max(others, axis)
