"""Byte-level BPE from bytes to token ids, in plain TensorFlow ops."""

import numpy as np
import tensorflow as tf

from keras_roberta.tokenizers.in_graph.byte_pair_merges import merge_bytes
from keras_roberta.tokenizers.in_graph.merge_table import MergeTable
from keras_roberta.tokenizers.in_graph.pre_tokenization import spread
from keras_roberta.tokenizers.in_graph.pre_tokenization import word_starts
from keras_roberta.tokenizers.in_graph.special_tokens import SpecialTokens
from keras_roberta.tokenizers.in_graph.unicode_classes import SPACE
from keras_roberta.tokenizers.in_graph.unicode_classes import CodePointClasses
from keras_roberta.tokenizers.in_graph.utf8 import REPLACEMENT
from keras_roberta.tokenizers.in_graph.utf8 import characters
from keras_roberta.tokenizers.in_graph.vectors import covered
from keras_roberta.tokenizers.in_graph.vectors import following
from keras_roberta.tokenizers.in_graph.vectors import keep_where
from keras_roberta.tokenizers.in_graph.vectors import previous
from keras_roberta.tokenizers.in_graph.vectors import repeat_index

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


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
    """

    def __init__(self, vocabulary, merges, special_tokens=None, name="byte_level_bpe"):
        super().__init__(name=name)
        alphabet = byte_alphabet()
        if special_tokens is None:
            special_tokens = [token for token in SPECIAL_TOKENS if token in vocabulary]
        missing = [token for token in (*alphabet, *special_tokens) if token not in vocabulary]
        if missing:
            raise ValueError(f"the vocabulary lacks bytes or special tokens: {missing[:5]}")
        if len(set(vocabulary.values())) < len(vocabulary) or min(vocabulary.values()) < 0:
            raise ValueError("the ids of the vocabulary must be distinct and not negative")

        self.vocabulary = dict(vocabulary)
        self.classes = CodePointClasses()
        self.table = MergeTable(vocabulary, merges)
        self.specials = SpecialTokens({token: vocabulary[token] for token in special_tokens})
        lengths = np.zeros(max(vocabulary.values()) + 1, np.int32)
        lengths[list(vocabulary.values())] = [len(token) for token in vocabulary]
        lengths[[vocabulary[token] for token in special_tokens]] = (
            1  # one symbol, whatever its bytes
        )
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

        Returns:
            token_ids: int32 [tokens], no special tokens around; with a `size` zeros behind.
            texts: int32, same shape: the text of each token; 0 behind them.
            begins, ends: if `with_spans`, int32, same shape: the bytes of `utf8` that each token
                stands for.
        """
        # Characters and special tokens
        code_points, bad, width = characters(utf8)
        classes = spread(self.classes(code_points), width)  # (n,)
        extent = tf.where(bad, width, 1)  # bytes that one symbol replaces
        specials = tf.zeros_like(utf8)
        if self.specials.longest:
            specials = self.specials.find(utf8, size)  # (n,)
            extent = tf.where(specials > 0, tf.gather(self.specials.lengths, specials), extent)

        # Symbols: a special token is one, a malformed subpart is the three bytes of U+FFFD
        counts = tf.where(covered(extent, max(3, self.specials.longest)), 0, tf.where(bad, 3, 1))
        source = repeat_index(counts, size)  # (symbols,) or (size,)
        symbols = self._replace_bad(tf.gather(utf8, source), tf.gather(bad, source), source)
        specials = tf.gather(specials, source)
        texts = tf.gather(texts, source)
        barriers = (texts == 0) | (specials > 0)
        classes = tf.where(barriers, SPACE, tf.gather(classes, source))

        # Words and tokens
        starts = word_starts(tf.where(barriers, 0, symbols), classes, barriers)
        token_ids = tf.gather(self.byte_ids, symbols)
        if self.specials.longest:
            token_ids = tf.where(
                specials > 0, tf.gather(self.specials.token_ids, specials), token_ids
            )
            strips = tf.gather(self.specials.strips_left, specials)
            texts = tf.where(
                words_before(strips, starts, (classes == SPACE) & ~barriers, size), 0, texts
            )
        token_ids, texts = merge_bytes(token_ids, texts, starts, self.table, size)
        if not with_spans:
            return keep_where(texts > 0, token_ids, texts, size=size)
        lengths = tf.gather(self.token_lengths, token_ids)
        ends = tf.minimum(tf.cumsum(lengths), tf.size(source))  # (tokens,), in symbols
        first, last = tf.gather(source, ends - lengths), tf.gather(source, ends - 1)
        return keep_where(
            texts > 0, token_ids, texts, first, last + tf.gather(extent, last), size=size
        )

    def _replace_bad(self, symbols, bad, source):
        """The three bytes of U+FFFD in place of three copies of a bad byte."""
        again = source == previous(source, fill=-1)
        twice = source == previous(source, 2, fill=-1)
        first, second, third = REPLACEMENT
        return tf.where(bad, tf.where(twice, third, tf.where(again, second, first)), symbols)


def words_before(marks, starts, eligible, size):
    """Bytes of the words that end right before a mark, if their last byte is eligible: bool [n]."""
    words = tf.cumsum(tf.cast(starts, tf.int32))  # (n,)
    last = following(marks, fill=False) & eligible
    count = (tf.size(words) if size is None else size) + 1
    chosen = tf.math.unsorted_segment_max(tf.cast(last, tf.int32), words, count)
    return tf.gather(chosen, words) > 0


def byte_alphabet():
    """GPT-2's letter for each byte: itself if printable, else one from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = dict(zip(printable + others, map(chr, [*printable, *range(256, 324)])))
    return [letters[byte] for byte in range(256)]
