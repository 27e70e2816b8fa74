"""All pieces of a Unigram model in all texts, found by a trie walked from all places at once."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.in_graph.character_map import by_code_point
from keras_roberta.tokenizers.in_graph.edge_table import EdgeTable
from keras_roberta.tokenizers.in_graph.vectors import (
    covered,
    keep_where,
    look_up,
    previous,
    repeat_index,
)
from keras_roberta.tokenizers.unigram.tables import NO_PIECE, UnigramTables


def as_whole_numbers(scores: np.ndarray) -> tuple[np.ndarray, float]:
    """Scores as whole numbers times a power of two, without rounding.

    Args:
        scores: float32 (pieces,)

    Returns:
        int64 (pieces,), below 2**31, and the power of two

    Raises:
        InputError: there are very small scores beside large ones.

    >>> as_whole_numbers(np.float32([-1.5, -0.25]))
    (array([-6, -1]), 0.25)
    """
    exact = scores.astype(np.float64)
    for exponent in range(-24, 32):
        scale = 2.0**-exponent
        whole = exact / scale
        if (whole == np.round(whole)).all():
            break
    if np.abs(whole).max() >= 2**31 or (whole != np.round(whole)).any():
        raise InputError(
            "the tokenizer cannot go into a graph: its scores differ too much in size; export with "
            "inputs='tokens'"
        )
    return whole.astype(np.int64), scale


class FoundPieces(NamedTuple):
    """The pieces in a vector of characters. Boundary i lies before character i.

    Attributes:
        numbers: int32 [n, longest], at [boundary, longest - length] the piece of this length that
            ends at the boundary, from 1 by ascending ids. 0 where there is none: then that of
            length 1 is the unknown character. With static shapes [longest, n], at
            [longest - length, boundary].
        scores: float32, same shape, likewise; `NO_PIECE` where there is none.
        starts: bool [n], boundaries that no piece crosses.
        size: n if it is static, else None.
    """

    numbers: tf.Tensor
    scores: tf.Tensor
    starts: tf.Tensor
    size: int | None

    def slots(self, ends: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Where pieces stand in `numbers` and in `scores`, both flattened: int32 [k]; 0 for those
        of the length 0."""
        if self.size is None:
            longest = self.scores.shape[1]
            slots = ends * longest + longest - lengths
        else:
            slots = (self.scores.shape[0] - lengths) * self.size + ends
        return tf.where(lengths > 0, slots, 0)


class Pieces(tf.Module):
    """The pieces of a model.

    Args:
        tables: `UnigramTables`
        name: name of the module.

    Attributes:
        longest: int, characters of the longest piece.
        ids: int32 [pieces + 1], the ids of pieces by number; the first is that of unknown
            characters.
    """

    def __init__(self, tables: UnigramTables, name: str = "pieces"):
        super().__init__(name=name)
        self.longest = int(tables.longest_piece)
        self.num_pieces = len(tables.scores) - 1
        self.edges = EdgeTable(tables.shifts, tables.owners, tables.targets)
        self.columns = by_code_point(tables.columns, "columns")
        self.unknown_score = float(tables.unknown_score)
        # Not as floats, which a converter would round as it rounds the weights of a model.
        whole, self.scale = as_whole_numbers(tables.scores[1:])
        with tf.init_scope(), tf.device("CPU"):
            self.whole_scores = tf.constant(np.append(0, whole).astype(np.int32))
            self.has_piece = tf.constant(tables.has_piece)
            self.ids = tf.constant(tables.ids)

    def find(self, code_points: tf.Tensor, texts: tf.Tensor, size: int | None) -> FoundPieces:
        """Finds all pieces.

        Args:
            code_points: int32 [n], normalized characters.
            texts: int32 [n], the number of each one's text; 0 at barriers, which no piece crosses.
            size: n if it is static, else None.
        """
        inside = texts > 0
        columns = self.columns(tf.maximum(code_points, 0))
        columns = tf.where(inside, columns, 0)
        unknown = inside & ~look_up(self.has_piece, columns)  # without a piece of its own
        if size is not None:
            return self._static(columns, unknown, size)
        return self._batched(columns, inside, unknown)

    def _scores(self, numbers):
        """The scores of pieces: float32, like the numbers."""
        scores = tf.cast(tf.gather(self.whole_scores, numbers), tf.float32) * self.scale
        return tf.where(numbers > 0, scores, NO_PIECE)

    def _static(self, columns, unknown, size):
        at, root = tf.range(size), tf.zeros_like(columns)
        walk = self.edges.walk(columns, at, root, self.longest, size)
        nodes = tf.stack([node for _, _, node in walk])  # (longest, n), by lengths from 1
        pieces = tf.where(nodes <= self.num_pieces, nodes, 0)
        lengths = tf.range(1, self.longest + 1)[:, None]
        longest = tf.reduce_max(tf.where(pieces > 0, lengths, 0), 0)
        ending = [previous(row, length) for length, row in enumerate(tf.unstack(pieces), 1)]
        numbers = tf.stack(ending[::-1])
        scores = self._scores(numbers)
        alone = tf.where(previous(unknown, fill=False), self.unknown_score, scores[-1])
        scores = tf.concat([scores[:-1], alone[None]], 0)
        return FoundPieces(numbers, scores, ~covered(longest, self.longest), size)

    def _batched(self, columns, inside, unknown):
        n = tf.size(columns)
        at, node = keep_where(inside, tf.range(n), tf.zeros_like(columns))
        steps = list(self.edges.walk(columns, at, node, self.longest, None))
        length = 1 + repeat_index(tf.stack([tf.size(at) for _, at, _ in steps]))
        at, node = (tf.concat([step[i] for step in steps], 0) for i in (1, 2))
        at, node, length = keep_where(node <= self.num_pieces, at, node, length)
        longest = tf.maximum(tf.math.unsorted_segment_max(length, at, n), 0)
        slots = ((at + length) * self.longest + self.longest - length)[:, None]
        numbers = tf.scatter_nd(slots, node, tf.reshape(n * self.longest, [1]))
        (at,) = keep_where(unknown, tf.range(n))
        slots = tf.concat([slots, (at[:, None] + 1) * self.longest + self.longest - 1], 0)
        new = tf.concat([self._scores(node), tf.fill(tf.shape(at), self.unknown_score)], 0)
        scores = tf.fill(tf.reshape(n * self.longest, [1]), NO_PIECE)
        scores = tf.tensor_scatter_nd_update(scores, slots, new)
        scores = tf.reshape(scores, [-1, self.longest])
        numbers = tf.reshape(numbers, [-1, self.longest])
        return FoundPieces(numbers, scores, ~covered(longest, self.longest), None)
