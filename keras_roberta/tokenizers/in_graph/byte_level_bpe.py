"""Byte-level BPE from bytes to token ids, in plain TensorFlow ops."""

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
    """The part that the batched and the static tokenizer share.

    Texts come as one vector of bytes with a *barrier* byte behind each. All of the work is done on
    such vectors: bytes to characters (`utf8`), special tokens, words (`pre_tokenization`), merges
    (`byte_pair_merges`). Neither string kernels nor look-up tables are used, so the graph loads
    wherever TensorFlow or TFLite does.

    Args:
        vocabulary: dict, token in the GPT-2 byte alphabet -> id. Ids are distinct; all 256 bytes
            are there.
        merges: list of (left, right), best first.
        special_tokens: those that become their id where a text spells them out; each is in the
            vocabulary. `<mask>` takes the white space before it along. None: those of `<s>`,
            `<pad>`, `</s>`, `<unk>` and `<mask>` that the vocabulary has, as in RoBERTa's
            `tokenizer.json`. (): all text is plain text.
        add_prefix_space: whether "a" is read as " a".

    Raises:
        InputError: the vocabulary lacks what it needs, or special tokens can overlap in a text.
    """

    def __init__(
        self,
        vocabulary,
        merges,
        special_tokens=None,
        add_prefix_space=False,
        name="byte_level_bpe",
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

    def __call__(self, utf8, texts, size=None, with_spans=False):
        """Tokenizes.

        Args:
            utf8: int32 [n], bytes.
            texts: int32 [n], the number of each byte's text, from 1, ascending; 0 at barriers,
                of which there is one behind every text, and at padding.
            size: n, if it is static.
            with_spans: whether to return begins and ends as well.

        Returns:
            token_ids: int32 [tokens], no special tokens around; with a `size` zeros behind.
            texts: int32, same shape: the text of each token; 0 behind them.
            begins, ends: if `with_spans`, int32, same shape: the bytes of `utf8` that each token
                stands for.
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
        """Bytes to symbols: a special token is one, a malformed subpart is the three of U+FFFD.

        Returns the columns [symbols]: byte, token id, text, class, whether it is a barrier, and
        the bytes of the input, from begin to end, that the symbol stands for.
        """
        # The first byte of a malformed subpart or a special token stands for all of its extent.
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
        copy -= look_up(prefixed, source)  # -1 for the space in front, else from 0
        specials, texts, bad, extent = (
            look_up(column, source) for column in (specials, texts, bad, extent)
        )
        first, second, third = REPLACEMENT
        replacement = tf.where(copy == 0, first, tf.where(copy == 1, second, third))
        symbols = tf.where(bad, replacement, look_up(utf8, source))
        symbols = tf.where(copy < 0, ord(" "), symbols)
        if size is not None:  # what is put in takes room: the end may be cut within a character
            texts = tf.where(cut_characters(symbols, size), 0, texts)

        special_ids = look_up(self.specials.token_ids, specials)
        token_ids = tf.where(specials > 0, special_ids, look_up(self.byte_ids, symbols))
        barriers = (texts == 0) | (specials > 0)
        symbols = tf.where(barriers, 0, symbols)
        classes = tf.where(barriers | (copy < 0), SPACE, look_up(classes, source))
        ends = source + tf.where(copy < 0, 0, extent)
        return symbols, token_ids, texts, classes, barriers, source, ends


def runs_before(marks, members, size):
    """The members of runs of members that end right before a mark: bool [n]."""
    runs = tf.cumsum(tf.cast(members != previous(members, fill=False), tf.int32))  # (n,)
    last = members & following(marks, fill=False)
    count = (tf.size(runs) if size is None else size) + 1
    chosen = tf.math.unsorted_segment_max(tf.cast(last, tf.int32), runs, count)
    return members & (look_up(chosen, runs) > 0)


def cut_characters(utf8, size):
    """The bytes of a character that does not end before `size`: bool [size]."""
    width = 1 + sum(tf.cast(utf8 >= lead, tf.int32) for lead in (0xC0, 0xE0, 0xF0))
    width = tf.where(tf.range(size) + width > size, width, 1)
    return (width > 1) | covered(width, 4)


def spellings(vocabulary, skip=()):
    """The bytes of each id, a list; empty for ids without a token and for tokens to skip."""
    bytes_of = {letter: bytes([byte]) for byte, letter in enumerate(byte_alphabet())}
    spelt = [b""] * (max(vocabulary.values()) + 1)
    for token, token_id in vocabulary.items():
        if token not in skip:
            spelt[token_id] = b"".join(bytes_of.get(letter, letter.encode()) for letter in token)
    return spelt
