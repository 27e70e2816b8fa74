"""Where words or characters begin and end in texts, and which ids they have."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_roberta.tokenizers.in_graph.edge_table import EdgeTable
from keras_roberta.tokenizers.in_graph.unicode_classes import (
    NUMBER,
    SPACE,
    CodePointTable,
    code_point_classes,
    word_characters,
)
from keras_roberta.tokenizers.in_graph.vectors import keep_where, look_up, previous, repeat_index
from keras_roberta.tokenizers.kinds.splitting import BETWEEN_SPACES, RUNS
from keras_roberta.tokenizers.unigram.trie_tables import string_table

_SPACES, _WORDS, _SIGNS = range(3)


class Units(NamedTuple):
    """Words or characters, for each character of a vector.

    Attributes:
        starts: bool [n], whether one begins here.
        ids: int32 [n], its id; elsewhere anything.
        lasts: int32 [n], the place of its last character; elsewhere anything.
    """

    starts: tf.Tensor
    ids: tf.Tensor
    lasts: tf.Tensor


class CharacterTable(tf.Module):
    """Each character and its id.

    Args:
        vocabulary: token to id; tokens of several characters are in no text.
        unk_id: the id of all other characters.
        name: name of the module.
    """

    def __init__(self, vocabulary: Mapping[str, int], unk_id: int, name: str = "character_table"):
        super().__init__(name=name)
        ids = np.full(0x110000, unk_id, np.int32)
        for token, index in vocabulary.items():
            if len(token) == 1:
                ids[ord(token)] = index
        self.ids = CodePointTable(ids)

    def find(self, code_points: tf.Tensor, texts: tf.Tensor, size: int | None) -> Units:
        """Looks them up.

        Args:
            code_points: int32 [n]
            texts: int32 [n], the number of each one's text, from 1; 0 at barriers.
            size: n if it is static, else None.
        """
        place = tf.range(tf.size(texts) if size is None else size)
        return Units(texts > 0, self.ids(tf.maximum(code_points, 0)), place)


class WordTable(tf.Module):
    """Words, found by the classes of their characters, and their ids, found by a trie.

    Edges are followed from the beginnings of all words at once, so that there are as many rounds
    as the longest word of the vocabulary has characters.

    Args:
        vocabulary: token to id.
        unk_id: the id of all other words.
        pre_tokenizer: how texts are split, one of `kinds.splitting`.
        name: name of the module.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        unk_id: int,
        pre_tokenizer: Mapping[str, Any],
        name: str = "word_table",
    ):
        super().__init__(name=name)
        words = [token for token in vocabulary if token]
        self.longest, self.num_words = max(map(len, words)), len(words)
        self.signs_alone = pre_tokenizer not in (RUNS, BETWEEN_SPACES)
        self.classes = CodePointTable(_classes(pre_tokenizer))
        edges, characters, _ = string_table(words)
        self.edges = EdgeTable(*edges)
        columns = np.zeros(0x110000, np.int32)
        columns[characters] = 1 + np.arange(len(characters))
        self.columns = CodePointTable(columns)
        with tf.init_scope(), tf.device("CPU"):
            # By node: the words' come first, behind the root.
            self.ids = tf.constant([unk_id, *(vocabulary[word] for word in words)], tf.int32)

    def find(self, code_points: tf.Tensor, texts: tf.Tensor, size: int | None) -> Units:
        """Looks them up; the arguments are those of `CharacterTable.find`."""
        code_points = tf.maximum(code_points, 0)
        place = tf.range(tf.size(texts) if size is None else size)
        classes = tf.where(texts > 0, self.classes(code_points), _SPACES)
        inside = classes != _SPACES
        starts = inside & (classes != previous(classes))
        if self.signs_alone:
            starts |= classes == _SIGNS
        word = tf.where(inside, tf.cumsum(tf.cast(starts, tf.int32)), 0)
        count = (tf.size(texts) if size is None else size) + 1
        lengths = tf.math.unsorted_segment_sum(tf.cast(inside, tf.int32), word, count)
        lengths = tf.where(starts, look_up(lengths, word), 0)  # (n,)
        columns = tf.where(inside, self.columns(code_points), 0)
        nodes = self._nodes(columns, place, starts, lengths, size)
        ids = look_up(self.ids, tf.where(nodes <= self.num_words, nodes, 0))
        return Units(starts, ids, place + lengths - 1)

    def _nodes(self, columns, place, starts, lengths, size):
        """The node at the end of the word that begins at each place: int32 [n], 0 for none."""
        if size is not None:
            nodes = tf.zeros_like(columns)
            walk = self.edges.walk(columns, place, nodes, self.longest, size)
            for length, _, node in walk:
                nodes = tf.where(lengths == length, node, nodes)
            return nodes
        at, root = keep_where(starts, place, tf.zeros_like(columns))
        steps = list(self.edges.walk(columns, at, root, self.longest, None))
        length = 1 + repeat_index(tf.stack([tf.size(at) for _, at, _ in steps]))
        at, node = (tf.concat([step[i] for step in steps], 0) for i in (1, 2))
        at, node = keep_where(look_up(lengths, at) == length, at, node)
        return tf.scatter_nd(at[:, None], node, tf.shape(columns))


def _classes(pre_tokenizer: Mapping[str, Any]) -> np.ndarray:
    """What each code point is a part of, for a way to split: uint8 (0x110000,)."""
    classes = code_point_classes()
    if pre_tokenizer == BETWEEN_SPACES:
        in_words = classes != SPACE
    else:
        in_words = word_characters() > 0
        if pre_tokenizer != RUNS:
            in_words |= classes == NUMBER
    found = np.where(in_words, _WORDS, _SIGNS)
    return np.where(classes == SPACE, _SPACES, found).astype(np.uint8)
