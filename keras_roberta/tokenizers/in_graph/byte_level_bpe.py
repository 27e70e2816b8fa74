"""Byte-level BPE from bytes to token ids, in plain TensorFlow ops."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.added_tokens import AddedToken
from keras_roberta.tokenizers.in_graph.byte_pair_merges import merge_bytes
from keras_roberta.tokenizers.in_graph.character_reader import CharacterReader
from keras_roberta.tokenizers.in_graph.merge_table import MergeTable
from keras_roberta.tokenizers.in_graph.pre_tokenization import spread, word_starts
from keras_roberta.tokenizers.in_graph.tokens import Tokens
from keras_roberta.tokenizers.in_graph.unicode_classes import SPACE
from keras_roberta.tokenizers.in_graph.utf8 import REPLACEMENT, characters
from keras_roberta.tokenizers.in_graph.vectors import (
    covered,
    keep_where,
    look_up,
    previous,
    repeat_index,
)
from keras_roberta.tokenizers.offsets import WHITE_SPACE
from keras_roberta.tokenizers.spelling import byte_alphabet


class ByteLevelBPE(tf.Module):
    """The common part of the batched and the static tokenizer.

    The input is one vector with the bytes of all texts, and a *barrier* byte behind each text. All
    steps work on such vectors: finding characters (`utf8`), special tokens (`special_tokens`) and
    words (`pre_tokenization`), and merging (`byte_pair_merges`). The graph has neither string ops
    nor look-up tables, so it can be loaded by every TensorFlow and TFLite.

    Args:
        vocabulary: {token in the GPT-2 byte alphabet: id}, added tokens among them. The ids are
            distinct, and all 256 bytes are tokens.
        merges: pairs (left, right), in the order of their ranks.
        added_tokens: tokens that become one id where they are spelt out in a text; each is in the
            vocabulary.
        add_prefix_space: whether to tokenize "a" like " a".
        name: name of the module.

    Raises:
        InputError: the vocabulary lacks a token or its ids are not distinct, or a graph cannot look
            for one of the added tokens.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        merges: Sequence[tuple[str, str]],
        added_tokens: Sequence[AddedToken] = (),
        add_prefix_space: bool = False,
        name: str = "byte_level_bpe",
    ):
        super().__init__(name=name)
        alphabet = byte_alphabet()
        missing = [letter for letter in alphabet if letter not in vocabulary]
        missing += [t.content for t in added_tokens if vocabulary.get(t.content) != t.id]
        if missing:
            raise InputError(f"the vocabulary lacks bytes or added tokens: {missing[:5]}")
        if len(set(vocabulary.values())) < len(vocabulary) or min(vocabulary.values()) < 0:
            raise InputError("the ids of the vocabulary must be distinct and not negative")

        self.add_prefix_space = add_prefix_space
        self.reader = CharacterReader(added_tokens)
        self.added = self.reader.added
        self.table = MergeTable(vocabulary, merges)
        # Of each id: its symbols, the bytes of white space at its front and its end, and whether
        # those at its front are one character. As in the library, the letter for a space is white
        # space in an added token too, where it is a letter.
        lengths, fronts, ends, single = np.zeros((4, max(vocabulary.values()) + 1), np.int32)
        space = alphabet[ord(" ")]
        for token, index in vocabulary.items():
            lengths[index] = len(token)
            fronts[index] = len(token) - len(token.lstrip(space))
            ends[index] = len(token) - len(token.rstrip(space))
            single[index] = fronts[index] == 1
        for token in added_tokens:
            content = token.content
            without_front = content.lstrip(WHITE_SPACE + space)
            without_end = content.rstrip(WHITE_SPACE + space)
            fronts[token.id] = len(content.encode()) - len(without_front.encode())
            ends[token.id] = len(content.encode()) - len(without_end.encode())
            single[token.id] = len(content) - len(without_front) == 1
        with tf.init_scope(), tf.device("CPU"):
            self.byte_ids = tf.constant([vocabulary[letter] for letter in alphabet], tf.int32)
            self.token_lengths = tf.constant(lengths)  # (num_ids,)
            self.front_spaces = tf.constant(fronts)  # (num_ids,)
            self.end_spaces = tf.constant(ends)  # (num_ids,)
            self.single_spaces = tf.constant(single)  # (num_ids,)

    def __call__(
        self,
        utf8: tf.Tensor,
        texts: tf.Tensor,
        size: int | None = None,
        with_spans: bool = False,
    ) -> Tokens:
        """Tokenizes a vector of bytes; see `tokens.ToTokens`."""
        code_points, bad, width = characters(utf8)
        classes = self.reader.classes(code_points, width)  # (n,)

        def as_written():
            place = tf.range(tf.size(utf8))
            token_ids = look_up(self.byte_ids, utf8)
            spaced = tf.where(texts == 0, SPACE, classes)
            return utf8, token_ids, texts, spaced, texts == 0, place, place + 1

        def rewritten():
            found = self.reader.find_added(utf8, texts, classes, code_points, width, size)
            return self._rewrite(utf8, texts, classes, found, bad, width, size)

        if size is None and not self.add_prefix_space:  # most texts need no rewriting
            needed = tf.reduce_any(bad) | self.added.any_in(utf8, texts > 0)
            written = tf.cond(needed, rewritten, as_written)
        else:
            written = rewritten()
        symbols, token_ids, texts, classes, barriers, begins, ends = written

        starts = word_starts(symbols, classes, barriers)
        tokens = merge_bytes(token_ids, starts, self.table, size)  # (symbols,), 1 + id or 0
        columns = [tokens - 1, texts]
        if with_spans:
            columns += self._spans(tokens, texts, barriers, begins, ends)
        return Tokens(*keep_where((tokens > 0) & (texts > 0), *columns, size=size))

    def _spans(self, tokens, texts, barriers, begins, ends):
        """Where each token begins and ends, without white space at its front and its end."""
        token_ids = tf.maximum(tokens - 1, 0)
        # An added token is one symbol; merges may make the same token out of many.
        num_symbols = tf.where(barriers, 1, look_up(self.token_lengths, token_ids))
        last = tf.minimum(tf.range(tf.size(tokens)) + num_symbols - 1, tf.size(tokens) - 1)
        ends = look_up(ends, last)
        front = look_up(self.front_spaces, token_ids)
        if self.add_prefix_space:  # which is in no text; as the library has it, for the first token
            is_first = (texts > 0) & (texts != previous(texts))
            front = tf.where(is_first & (look_up(self.single_spaces, token_ids) > 0), 0, front)
        begins = tf.minimum(begins + front, ends)
        return [begins, tf.maximum(ends - look_up(self.end_spaces, token_ids), begins)]

    def _rewrite(self, utf8, texts, classes, found, bad, width, size):
        """Rewrites bytes as symbols.

        A symbol is a byte, or a whole added token. A malformed subpart becomes the three bytes of
        U+FFFD.

        Returns the columns [symbols]: byte, token id, text, class, whether it is a barrier, and
        begin and end of the symbol in the bytes of the input.
        """
        # The first byte of a malformed subpart or an added token stands for the whole of it.
        bad_extent = tf.where(bad, width, 1)  # (n,)
        extent = tf.maximum(bad_extent, look_up(self.added.lengths, found.number))
        hidden = covered(bad_extent, 3) | found.inside
        apart = (texts == 0) | (found.number > 0) | found.inside | found.stripped
        prefixed = tf.zeros_like(utf8)
        if self.add_prefix_space:  # to each stretch of text between added tokens
            visible = ~apart & (utf8 != ord(" "))
            prefixed = tf.cast(visible & previous(apart, fill=True), tf.int32)
        counts = tf.where(
            hidden | found.stripped, 0, prefixed + tf.where(bad, 3, 1)
        )  # (n,), symbols

        source = repeat_index(counts, size)  # (symbols,) or (size,)
        copy = tf.range(tf.size(source)) - look_up(tf.cumsum(counts, exclusive=True), source)
        copy -= look_up(prefixed, source)  # -1 for a prefix space, else from 0
        number, texts, bad, extent = (
            look_up(column, source) for column in (found.number, texts, bad, extent)
        )
        first, second, third = REPLACEMENT
        replacement = tf.where(copy == 0, first, tf.where(copy == 1, second, third))
        symbols = tf.where(bad, replacement, look_up(utf8, source))
        symbols = tf.where(copy < 0, ord(" "), symbols)
        if size is not None:  # added bytes need room, so the end may be cut within a character
            texts = tf.where(cut_characters(symbols, size), 0, texts)

        added_ids = look_up(self.added.token_ids, number)
        token_ids = tf.where(number > 0, added_ids, look_up(self.byte_ids, symbols))
        barriers = (texts == 0) | (number > 0)
        symbols = tf.where(barriers, 0, symbols)
        classes = tf.where(barriers | (copy < 0), SPACE, look_up(classes, source))
        begins, ends = source, source + extent
        if self.add_prefix_space:
            begins, ends = self._with_prefix(begins, ends, copy < 0, number, texts, found, width)
        return symbols, token_ids, texts, classes, barriers, begins, ends

    @staticmethod
    def _with_prefix(begins, ends, is_prefix, number, texts, found, width):
        """Corrects the offsets of symbols for prefix spaces, which have no place in the text.

        They become what the tokenizers library gives:

        - A prefix space at the beginning of a text is empty and lies before the first character.
        - One behind an added token lies on the character that follows it.
        - If a text begins with a single white space character that an added token strips, the
          character counts as the prefix space, and belongs to that token.

        Args:
            begins, ends: int32 [symbols], the offsets in bytes.
            is_prefix: bool [symbols], which symbols are prefix spaces.
            number, texts: int32 [symbols], the number of the added token, or 0, and of the text.
            found: the added tokens in the bytes.
            width: int32 (n,), the number of bytes of the character that begins at each byte.

        Returns:
            begins, ends: int32 [symbols]
        """
        is_first = texts != previous(texts)
        over = tf.where(is_first, 0, look_up(width, begins))  # bytes of that character
        before = tf.maximum(begins - 1, 0)
        character = look_up(spread(tf.range(tf.size(width)), width), before)
        run_goes_on = (character > 0) & look_up(found.stripped, tf.maximum(character - 1, 0))
        gives_back = (number > 0) & is_first & look_up(found.stripped, before) & ~run_goes_on
        return (
            tf.where(is_prefix, begins + tf.maximum(over - 1, 0),
                     tf.where(gives_back, character, begins)),
            tf.where(is_prefix, begins + over, ends),
        )  # fmt: skip


def cut_characters(utf8: tf.Tensor, size: int) -> tf.Tensor:
    """Finds the bytes of a character that is cut at the end of the vector: bool [size]."""
    width = 1 + sum(tf.cast(utf8 >= lead, tf.int32) for lead in (0xC0, 0xE0, 0xF0))
    width = tf.where(tf.range(size) + width > size, width, 1)
    return (width > 1) | covered(width, 4)
