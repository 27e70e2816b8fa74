"""Byte-level BPE from bytes to token ids, in plain TensorFlow ops."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.in_graph.byte_pair_merges import merge_bytes
from keras_roberta.tokenizers.in_graph.merge_table import MergeTable
from keras_roberta.tokenizers.in_graph.pre_tokenization import spread, word_starts
from keras_roberta.tokenizers.in_graph.special_tokens import SpecialTokens
from keras_roberta.tokenizers.in_graph.unicode_classes import SPACE, CodePointClasses
from keras_roberta.tokenizers.in_graph.utf8 import REPLACEMENT, characters
from keras_roberta.tokenizers.in_graph.vectors import (
    covered,
    following,
    keep_where,
    look_up,
    previous,
    repeat_index,
)
from keras_roberta.tokenizers.spelling import SPECIAL_TOKENS, byte_alphabet


class ByteLevelBPE(tf.Module):
    """The common part of the batched and the static tokenizer.

    The input is one vector with the bytes of all texts, and a *barrier* byte behind each text. All
    steps work on such vectors: finding characters (`utf8`), special tokens (`special_tokens`) and
    words (`pre_tokenization`), and merging (`byte_pair_merges`). The graph has neither string ops
    nor look-up tables, so it can be loaded by every TensorFlow and TFLite.

    Args:
        vocabulary: {token in the GPT-2 byte alphabet: id}. The ids are distinct, and all 256 bytes
            are tokens.
        merges: pairs (left, right), in the order of their ranks.
        special_tokens: special tokens that become one id when they are spelt out in a text. Each
            must be in the vocabulary. `<mask>` includes the white space before it. None: those of
            `<s>`, `<pad>`, `</s>`, `<unk>` and `<mask>` that are in the vocabulary, as in
            RoBERTa's `tokenizer.json`. (): all text is plain text.
        add_prefix_space: whether to tokenize "a" like " a".
        name: name of the module.

    Raises:
        InputError: the vocabulary lacks a token or its ids are not distinct, or special tokens can
            overlap in a text.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        merges: Sequence[tuple[str, str]],
        special_tokens: Sequence[str] | None = None,
        add_prefix_space: bool = False,
        name: str = "byte_level_bpe",
    ):
        super().__init__(name=name)
        alphabet = byte_alphabet()
        if special_tokens is None:
            special_tokens = [token for token in SPECIAL_TOKENS if token in vocabulary]
        missing = [token for token in (*alphabet, *special_tokens) if token not in vocabulary]
        if missing:
            raise InputError(f"the vocabulary lacks bytes or special tokens: {missing[:5]}")
        if len(set(vocabulary.values())) < len(vocabulary) or min(vocabulary.values()) < 0:
            raise InputError("the ids of the vocabulary must be distinct and not negative")

        self.add_prefix_space = add_prefix_space
        self.classes = CodePointClasses()
        self.table = MergeTable(vocabulary, merges)
        self.specials = SpecialTokens({token: vocabulary[token] for token in special_tokens})
        lengths = np.zeros(max(vocabulary.values()) + 1, np.int32)
        lengths[list(vocabulary.values())] = [len(token) for token in vocabulary]
        # A special token is one symbol, whatever its bytes.
        lengths[[vocabulary[token] for token in special_tokens]] = 1
        with tf.init_scope(), tf.device("CPU"):
            self.byte_ids = tf.constant([vocabulary[letter] for letter in alphabet], tf.int32)
            self.token_lengths = tf.constant(lengths)  # (num_ids,)

    def __call__(
        self,
        utf8: tf.Tensor,
        texts: tf.Tensor,
        size: int | None = None,
        with_spans: bool = False,
    ) -> list[tf.Tensor]:
        """Tokenizes a vector of bytes.

        Args:
            utf8: int32 [n], bytes.
            texts: int32 [n], the number of each byte's text, from 1, ascending. It is 0 at the
                barriers, of which there is one behind every text, and at padding.
            size: n if it is static, else None.
            with_spans: whether to return begins and ends as well.

        Returns:
            token_ids: int32 [tokens], without special tokens around the texts. If `size` is given
                the shape is [size], with zeros behind the tokens.
            texts: int32, same shape, the number of each token's text; 0 behind the tokens.
            begins: int32, same shape, only if `with_spans`: the first byte in `utf8` of each token.
            ends: int32, same shape, only if `with_spans`: the byte in `utf8` behind each token.
        """
        code_points, bad, width = characters(utf8)
        classes = spread(self.classes(code_points), width)  # (n,)
        specials = self.specials.find(utf8, size)  # (n,)

        def as_written():
            place = tf.range(tf.size(utf8))
            token_ids = look_up(self.byte_ids, utf8)
            spaced = tf.where(texts == 0, SPACE, classes)
            return utf8, token_ids, texts, spaced, texts == 0, place, place + 1

        def rewritten():
            return self._rewrite(utf8, texts, classes, specials, bad, width, size)

        if size is None and not self.add_prefix_space:  # most texts need no rewriting
            written = tf.cond(tf.reduce_any(bad | (specials > 0)), rewritten, as_written)
        else:
            written = rewritten()
        symbols, token_ids, texts, classes, barriers, begins, ends = written

        starts = word_starts(symbols, classes, barriers)
        tokens = merge_bytes(token_ids, starts, self.table, size)  # (symbols,), 1 + id or 0
        columns = [tokens - 1, texts]
        if with_spans:
            place = tf.range(tf.size(tokens))
            last = place + look_up(self.token_lengths, tf.maximum(tokens - 1, 0)) - 1
            columns += [begins, look_up(ends, tf.minimum(last, tf.size(tokens) - 1))]
        return keep_where((tokens > 0) & (texts > 0), *columns, size=size)

    def _rewrite(self, utf8, texts, classes, specials, bad, width, size):
        """Rewrites bytes as symbols.

        A symbol is a byte, or a whole special token. A malformed subpart becomes the three bytes of
        U+FFFD.

        Returns the columns [symbols]: byte, token id, text, class, whether it is a barrier, and
        begin and end of the symbol in the bytes of the input.
        """
        # The first byte of a malformed subpart or a special token stands for the whole of it.
        bad_extent = tf.where(bad, width, 1)  # (n,)
        special_extent = look_up(self.specials.lengths, specials)
        extent = tf.maximum(bad_extent, special_extent)
        in_special = covered(special_extent, self.specials.longest)
        hidden = covered(bad_extent, 3) | in_special
        apart = (texts == 0) | (specials > 0) | in_special
        strips_left = look_up(self.specials.strips_left, specials)
        stripped = runs_before(strips_left, (classes == SPACE) & ~apart, size)
        prefixed = tf.zeros_like(utf8)
        if self.add_prefix_space:  # to each stretch of text between special tokens
            visible = ~apart & ~stripped & (utf8 != ord(" "))
            prefixed = tf.cast(visible & previous(apart, fill=True), tf.int32)
        counts = tf.where(hidden | stripped, 0, prefixed + tf.where(bad, 3, 1))  # (n,), symbols

        source = repeat_index(counts, size)  # (symbols,) or (size,)
        copy = tf.range(tf.size(source)) - look_up(tf.cumsum(counts, exclusive=True), source)
        copy -= look_up(prefixed, source)  # -1 for a prefix space, else from 0
        specials, texts, bad, extent = (
            look_up(column, source) for column in (specials, texts, bad, extent)
        )
        first, second, third = REPLACEMENT
        replacement = tf.where(copy == 0, first, tf.where(copy == 1, second, third))
        symbols = tf.where(bad, replacement, look_up(utf8, source))
        symbols = tf.where(copy < 0, ord(" "), symbols)
        if size is not None:  # added bytes need room, so the end may be cut within a character
            texts = tf.where(cut_characters(symbols, size), 0, texts)

        special_ids = look_up(self.specials.token_ids, specials)
        token_ids = tf.where(specials > 0, special_ids, look_up(self.byte_ids, symbols))
        barriers = (texts == 0) | (specials > 0)
        symbols = tf.where(barriers, 0, symbols)
        classes = tf.where(barriers | (copy < 0), SPACE, look_up(classes, source))
        ends = source + tf.where(copy < 0, 0, extent)
        return symbols, token_ids, texts, classes, barriers, source, ends


def runs_before(marks: tf.Tensor, members: tf.Tensor, size: int | None) -> tf.Tensor:
    """Finds the runs of members that end right before a mark.

    Args:
        marks: bool [n].
        members: bool [n].
        size: n if it is static, else None.

    Returns:
        bool [n], the members that belong to such runs
    """
    runs = tf.cumsum(tf.cast(members != previous(members, fill=False), tf.int32))  # (n,)
    last = members & following(marks, fill=False)
    count = (tf.size(runs) if size is None else size) + 1
    chosen = tf.math.unsorted_segment_max(tf.cast(last, tf.int32), runs, count)
    return members & (look_up(chosen, runs) > 0)


def cut_characters(utf8: tf.Tensor, size: int) -> tf.Tensor:
    """Finds the bytes of a character that is cut at the end of the vector: bool [size]."""
    width = 1 + sum(tf.cast(utf8 >= lead, tf.int32) for lead in (0xC0, 0xE0, 0xF0))
    width = tf.where(tf.range(size) + width > size, width, 1)
    return (width > 1) | covered(width, 4)


def spellings(vocabulary: Mapping[str, int], skip: Collection[str] = ()) -> list[bytes]:
    """The bytes of each id; b"" for ids without a token and for tokens to skip."""
    bytes_of = {letter: bytes([byte]) for byte, letter in enumerate(byte_alphabet())}
    spelt = [b""] * (max(vocabulary.values()) + 1)
    for token, token_id in vocabulary.items():
        if token not in skip:
            spelt[token_id] = b"".join(bytes_of.get(letter, letter.encode()) for letter in token)
    return spelt
