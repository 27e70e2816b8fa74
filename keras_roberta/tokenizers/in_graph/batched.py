"""The tokenizer for batches of strings: in tf.data, in a SavedModel, in TF Serving."""

import functools

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.byte_level_bpe import ByteLevelBPE, spellings
from keras_roberta.tokenizers.in_graph.row_layout import PAD, TOKENS, layout
from keras_roberta.tokenizers.in_graph.vectors import following, repeat_index
from keras_roberta.tokenizers.spelling import SPECIAL_TOKENS


class BatchedTokenizer(tf.Module):
    """RoBERTa's tokenizer on tf.string tensors.

    The ids are those of the host tokenizer for every string. Bytes that are not UTF-8 count as
    U+FFFD, as in Python's `bytes.decode(errors="replace")`; NUL is a character like others.

    Args:
        vocabulary: dict, token in the GPT-2 byte alphabet -> id.
        merges: list of (left, right), best first.
        special_tokens: those that become their id where a text spells them out. None: all of
            `<s>`, `<pad>`, `</s>`, `<unk>` and `<mask>`; see `ByteLevelBPE`.
        add_prefix_space: whether "a" is read as " a". RoBERTa's own tokenizer does not.
        start_id, pad_id, end_id: the ids around texts and behind them.

    >>> tokenizer = BatchedTokenizer(vocabulary, merges)                        # doctest: +SKIP
    >>> tokenizer(["Hello world"])["token_ids"].numpy()                         # doctest: +SKIP
    array([[    0, 31414,   232,     2]], dtype=int32)
    """

    def __init__(
        self,
        vocabulary,
        merges,
        special_tokens=None,
        add_prefix_space=False,
        start_id=0,
        pad_id=1,
        end_id=2,
        name="batched_tokenizer",
    ):
        super().__init__(name=name)
        self.bpe = ByteLevelBPE(vocabulary, merges, special_tokens, add_prefix_space)
        self.start_id, self.pad_id, self.end_id = start_id, pad_id, end_id
        with tf.init_scope(), tf.device("CPU"):
            # Of each id, and at last that of all others: nothing.
            self.spellings = tf.constant([*spellings(vocabulary), b""])  # (num_ids + 1,)
            self.plain_spellings = tf.constant([*spellings(vocabulary, skip=SPECIAL_TOKENS), b""])
        # Traced once each, for batches of any size; plain first, then with offsets.
        self._tokens = [
            tf.function(
                functools.partial(self._tokenize_all, with_offsets=with_offsets),
                input_signature=[tf.TensorSpec([None], tf.string)],
                autograph=False,
            )
            for with_offsets in (False, True)
        ]

    def __call__(self, texts, text_pairs=None, max_length=512, with_offsets=False):
        """Tokenizes, puts the special tokens around, truncates, pads to the longest row.

        Args:
            texts: tf.string [batch].
            text_pairs: tf.string [batch], for rows `<s> a </s></s> b </s>`.
            max_length: int, tokens in a row at most, special tokens included: the longer text is
                cut first, as by the `tokenizers` library's "longest_first". None: no limit.
            with_offsets: whether to tell which bytes a token stands for.

        Returns:
            dict of int32 tensors [batch, longest]: `token_ids`, `padding_mask`; with offsets also
            `offsets` [batch, longest, 2]: begin and end of the token in the bytes of its text,
            the space before a word included; (0, 0) for special tokens that are not in the text.
        """
        texts = tf.convert_to_tensor(texts, tf.string)
        both = [texts]
        if text_pairs is not None:
            both.append(tf.convert_to_tensor(text_pairs, tf.string))
        tokens = self._tokens[bool(with_offsets)](tf.concat(both, 0))
        with tf.device("CPU"):
            return self._pack(max_length, len(both), *tokens)

    def tokenize(self, texts):
        """Tokens without special tokens around: tf.string [batch] -> int32 ragged [batch, None]."""
        token_ids, counts = self._tokens[False](tf.convert_to_tensor(texts, tf.string))
        return tf.RaggedTensor.from_row_lengths(token_ids, counts, validate=False)

    def detokenize(self, token_ids, skip_special_tokens=True):
        """Texts of ids: int32 [batch, length], dense or ragged -> tf.string [batch].

        Bytes that do not make UTF-8 come out as U+FFFD, ids beyond the vocabulary as "".
        """
        with tf.device("CPU"):
            spellings = self.plain_spellings if skip_special_tokens else self.spellings
            token_ids = tf.minimum(tf.cast(token_ids, tf.int32), tf.size(spellings) - 1)
            texts = tf.strings.reduce_join(tf.gather(spellings, token_ids), axis=-1)
            return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")

    def _tokenize_all(self, texts, with_offsets):
        """Ids [tokens] of all tokens, their counts [batch], and perhaps offsets [tokens, 2]."""
        with tf.device("CPU"):
            num_texts = tf.size(texts)
            # Every text with a barrier behind it: a NUL that belongs to no text.
            lengths = tf.strings.length(texts) + 1  # (batch,)
            joined = tf.strings.reduce_join(tf.concat([texts, [""]], 0), separator="\0")
            utf8 = tf.cast(tf.io.decode_raw(joined, tf.uint8), tf.int32)  # (bytes,)
            rows = repeat_index(lengths) + 1  # (bytes,), from 1
            rows = tf.where(rows == following(rows), rows, 0)
            token_ids, rows, *spans = self.bpe(utf8, rows, with_spans=with_offsets)  # (tokens,)
            counts = tf.math.unsorted_segment_sum(tf.ones_like(rows), rows - 1, num_texts)
            if not with_offsets:
                return token_ids, counts
            begins = tf.gather(tf.cumsum(lengths, exclusive=True), rows - 1)
            return token_ids, counts, tf.stack(spans, 1) - begins[:, None]

    def _pack(self, max_length, num_sides, token_ids, counts, offsets=None):
        firsts = tf.cumsum(counts, exclusive=True)
        rows = layout(
            tf.split(counts, num_sides), tf.split(firsts, num_sides), max_length
        )  # (batch, longest)
        around = tf.constant([self.pad_id, self.start_id, self.end_id])  # as PAD, START, END
        outputs = {
            "token_ids": tf.gather(tf.concat([around, token_ids], 0), rows),
            "padding_mask": tf.cast(rows != PAD, tf.int32),
        }
        if offsets is not None:
            nowhere = tf.zeros([TOKENS, 2], tf.int32)
            outputs["offsets"] = tf.gather(tf.concat([nowhere, offsets], 0), rows)
        return outputs
