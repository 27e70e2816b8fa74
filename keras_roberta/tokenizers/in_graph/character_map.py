"""Normalizes characters by the rules of a sentencepiece model, such as NFKC, as vector operations.

At each place the longest rule is found, by a trie walked from all places at once. Who reads from
the left takes the rule where he stands, or else the character, and steps behind it: where he stands
is found as for added tokens, by doubling. Then each place is repeated as often as it gives
characters.
"""

import numpy as np
import tensorflow as tf

from keras_roberta.tokenizers.in_graph.added_tokens import from_left
from keras_roberta.tokenizers.in_graph.edge_table import EdgeTable
from keras_roberta.tokenizers.in_graph.unicode_classes import CodePointTable
from keras_roberta.tokenizers.in_graph.vectors import (
    following,
    keep_where,
    look_up,
    narrow,
    previous,
    repeat_index,
)
from keras_roberta.tokenizers.unigram.tables import SPACE, UnigramTables

BLOCK = 64  # of tables by code point, of which most blocks are empty


def by_code_point(pairs: np.ndarray, name: str) -> CodePointTable:
    """A table of a number for each code point, 0 for most: int32 (2, those that have one)."""
    values = np.zeros(0x110000, np.int32)
    values[pairs[0]] = pairs[1]
    return CodePointTable(values, BLOCK, name=name)


def written(vector: tf.Tensor, keep: tf.Tensor, at: tf.Tensor, values, size: int | None):
    """The vector with values written to places where `keep`; in static ones `at` is every place."""
    if size is not None:
        return tf.where(keep, values, vector)
    at, values = keep_where(keep, at, values)
    return tf.tensor_scatter_nd_update(vector, at[:, None], values)


class CharacterMap(tf.Module):
    """Applies rules to all characters of all texts.

    Args:
        tables: `UnigramTables`
        name: name of the module.
    """

    def __init__(self, tables: UnigramTables, name: str = "character_map"):
        super().__init__(name=name)
        self.longest = int(tables.longest_rule)
        self.edges = EdgeTable(tables.rule_shifts, tables.rule_owners, tables.rule_targets)
        self.first = by_code_point(tables.rule_first, "first")
        self.columns = by_code_point(tables.rule_columns, "columns")
        lengths = tables.rule_lengths
        with tf.init_scope(), tf.device("CPU"):
            self.is_end = tf.constant(tables.rule_is_end)
            self.lengths = tf.constant(narrow(lengths))
            self.begins = tf.constant(narrow(np.cumsum(lengths, dtype=np.int32) - lengths))
            self.texts = tf.constant(tables.rule_texts)

    def __call__(
        self,
        code_points: tf.Tensor,
        texts: tf.Tensor,
        breaks: tf.Tensor | None = None,
        size: int | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Normalizes, and puts a space behind each barrier: before each text, and behind the last.

        Args:
            code_points: int32 [n]; any number from 0 down at barriers, which stays.
            texts: int32 [n], the number of each character's text; 0 at barriers, of which there is
                one before each text and one behind the last.
            breaks: bool [n], characters that get a barrier and a space in front; or None.
            size: n if it is static, else None.

        Returns:
            code_points, texts: int32 [m], or static [size], with zeros behind; what has no room in
                static vectors is cut off.
            source: int32, same shape, the place from which each comes.
        """
        barrier = texts == 0
        rule, reads = self._rules(code_points, barrier, breaks, size)
        lengths = tf.cast(look_up(self.lengths, rule), tf.int32)
        counts = tf.where(rule > 0, lengths, tf.where(barrier, 2, 1))
        front = 0 if breaks is None else tf.where(breaks, 2, 0)
        counts = tf.where(reads, counts + front, 0)  # a break is always read

        source = repeat_index(counts, size)  # (m,)
        copy = tf.range(tf.size(source)) - look_up(tf.cumsum(counts, exclusive=True), source)
        if breaks is not None:
            copy -= look_up(front, source)  # -2 a barrier, -1 a space, then the character
        rule, old_texts = look_up(rule, source), look_up(texts, source)
        at = tf.cast(look_up(self.begins, rule), tf.int32) + tf.maximum(copy, 0)
        put_in = look_up(self.texts, tf.minimum(at, self.texts.shape[0] - 1))
        is_space = (copy == -1) | ((old_texts == 0) & (copy == 1))
        kept = tf.where(rule > 0, put_in, look_up(code_points, source))
        new_texts = tf.where(copy == -2, 0, old_texts)
        # The space behind a barrier belongs to the text that follows.
        new_texts = tf.where((old_texts == 0) & (copy == 1), following(new_texts), new_texts)
        kept = tf.where(is_space, SPACE, tf.where(copy == -2, 0, kept))
        if size is not None:  # what is put in takes room: the end may be cut
            inside = tf.range(size) < tf.minimum(tf.reduce_sum(counts), size - 1)
            kept, new_texts = tf.where(inside, kept, 0), tf.where(inside, new_texts, 0)
        return kept, new_texts, source

    def _rules(self, code_points, barrier, breaks, size):
        """At each place the longest rule, or 0, and whether who reads from the left stops there:
        int32 [n], bool [n]."""
        points = tf.maximum(code_points, 0)
        columns = tf.where(barrier, 0, self.columns(points))
        if breaks is not None:
            columns = tf.where(breaks, 0, columns)  # no rule goes across
        behind = following(columns)
        node = tf.where(barrier, 0, self.first(points))
        alone = tf.where(look_up(self.is_end, node), node, 0)  # the rule of one character
        goes_on = (node > 0) & (behind > 0)

        def longest():
            rule, width = self._longest_rules(node, behind, alone, goes_on, size)
            return rule, from_left(width, self.longest, size)

        if size is None:
            return longest()
        # Few texts have characters of which several have a rule together.
        return tf.cond(tf.reduce_any(goes_on), longest, lambda: (alone, tf.ones_like(barrier)))

    def _longest_rules(self, node, behind, rule, goes_on, size):
        """The longest rule at each place, and how many characters it replaces: int32 [n]."""
        width = tf.ones_like(rule)
        at = tf.range(tf.size(node) if size is None else size)
        if size is None:
            at, node = keep_where(goes_on, at, node)
        steps = self.edges.walk(behind, at, node, self.longest - 1, size)
        for distance, at, node in steps:
            ends = look_up(self.is_end, node)
            rule = written(rule, ends, at, node, size)
            width = written(width, ends, at, tf.fill(tf.shape(at), distance + 1), size)
        return rule, width


def without_extra_spaces(code_points, texts, *columns, size=None):
    """Keeps the first space of each run, and none before a barrier.

    Args:
        code_points, texts: int32 [n], see `CharacterMap`.
        *columns: int32 [n] each, cut alike.
        size: n if it is static, else None.
    """
    space = code_points == SPACE
    keep = ~space | ((texts > 0) & ~previous(space, fill=False))
    kept = keep_where(keep, code_points, texts, *columns, size=size)
    keep = (kept[0] != SPACE) | (following(kept[1]) > 0)
    return keep_where(keep, *kept, size=size)
