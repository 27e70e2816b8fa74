"""Bytes of texts as characters, with the added tokens that are spelt out among them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_roberta.tokenizers.added_tokens import AddedToken
from keras_roberta.tokenizers.in_graph.added_tokens import AddedTokens, Found
from keras_roberta.tokenizers.in_graph.pre_tokenization import spread
from keras_roberta.tokenizers.in_graph.unicode_classes import (
    SPACE,
    CodePointTable,
    code_point_classes,
    word_characters,
)
from keras_roberta.tokenizers.in_graph.utf8 import characters
from keras_roberta.tokenizers.in_graph.vectors import covered, keep_where, previous
from keras_roberta.tokenizers.offsets import without_spaces_around


class Characters(NamedTuple):
    """Characters of all texts, one after the other, and barriers between them.

    Attributes:
        code_points: int32 [characters]; 0 at barriers, and at those that are added tokens minus
            (number of the token + base * number of the text).
        texts: int32, same shape, the number of each one's text, from 1; 0 at barriers. Added tokens
            are barriers, and so is the white space that they take along.
        begins: int32, same shape, the first byte of each.
        ends: int32, same shape, the byte behind it; of an added token's first byte.
    """

    code_points: tf.Tensor
    texts: tf.Tensor
    begins: tf.Tensor
    ends: tf.Tensor


class CharacterReader(tf.Module):
    """Finds characters and added tokens in a vector of bytes.

    Args:
        added_tokens: tokens that become one id where they are spelt out in a text.
        name: name of the module.

    Attributes:
        added: the `AddedTokens`.
        base: int, above all numbers of added tokens, which count from 1.
        added_begins: int32 [base], by number, the bytes of white space at an added token's front.
        added_ends: int32 [base], the byte behind its last that is no white space. One of white
            space alone is whole.

    Raises:
        InputError: a graph cannot look for one of the added tokens.
    """

    def __init__(self, added_tokens: Sequence[AddedToken], name: str = "character_reader"):
        super().__init__(name=name)
        self.class_of = CodePointTable(code_point_classes())
        self.added = AddedTokens(added_tokens)
        self._words = CodePointTable(word_characters()) if self.added.reads_words else None
        self.base = 1 + len(added_tokens)
        contents = [token.content for token in self.added.tokens]
        places = [without_spaces_around(c, 0, len(c)) for c in contents]
        begins, ends = (
            [len(c[: place[side]].encode()) for c, place in zip(contents, places, strict=True)]
            for side in (0, 1)
        )
        with tf.init_scope(), tf.device("CPU"):
            self.added_begins = tf.constant(np.array([0, *begins], np.int32))
            self.added_ends = tf.constant(np.array([0, *ends], np.int32))

    def classes(self, code_points: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """The class of each byte's character: int32 [n]. The arguments are what `characters`
        found."""
        return spread(self.class_of(code_points), width)

    def find_added(
        self,
        utf8: tf.Tensor,
        texts: tf.Tensor,
        classes: tf.Tensor,
        code_points: tf.Tensor,
        width: tf.Tensor,
        size: int | None,
    ) -> Found:
        """Where added tokens are.

        Args:
            utf8: int32 [n], bytes.
            texts: int32 [n], the number of each byte's text, from 1; 0 at barriers.
            classes: int32 [n], what `classes` found.
            code_points, width: int32 [n], what `characters` found.
            size: n if it is static, else None.
        """
        word = self._words and spread(self._words(code_points), width) > 0  # (n,)
        return self.added.find(utf8, texts > 0, classes == SPACE, word, size)

    def read(self, utf8: tf.Tensor, texts: tf.Tensor, size: int | None) -> Characters:
        """Reads a vector of bytes; the arguments are those of `find_added`."""
        code_points, _, width = characters(utf8)

        def find():
            classes = self.classes(code_points, width)
            return tuple(self.find_added(utf8, texts, classes, code_points, width, size))

        def none():
            nowhere = tf.zeros_like(texts, tf.bool)
            return tf.zeros_like(texts), nowhere, nowhere

        # Few texts have any.
        number, inside, stripped = tf.cond(self.added.any_in(utf8, texts > 0, size), find, none)
        is_added = number > 0
        mark = -(number + self.base * texts)
        texts = tf.where(is_added | stripped, 0, texts)
        code_points = tf.where(is_added, mark, tf.where(texts > 0, code_points, 0))
        # Of barriers side by side that stand for nothing the first is enough.
        plain = (texts == 0) & ~is_added & ~inside
        keep = ~inside & ~(plain & previous(plain, fill=False)) & ~covered(width, 4)
        place = tf.range(tf.size(utf8) if size is None else size)
        return Characters(*keep_where(keep, code_points, texts, place, place + width, size=size))

    def number_and_text(self, code_points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Of added tokens among characters: the token's number and that of its text, both int32
        like the code points; 0 elsewhere."""
        marks = tf.maximum(-code_points, 0)
        text = marks // self.base
        return marks - text * self.base, text
