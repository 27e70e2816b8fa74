"""Batches of strings as rows of ids, whatever the kind of the tokenizer."""

import functools
from typing import Any

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.row_layout import PAD, TOKENS, layout
from keras_roberta.tokenizers.in_graph.tokens import ToTokens
from keras_roberta.tokenizers.in_graph.vectors import following, repeat_index


class BatchedRows(tf.Module):
    """A tokenizer on tf.string tensors, for tf.data, SavedModels and TF Serving.

    For every string the ids are those of the host tokenizer. Bytes that are not UTF-8 count as
    U+FFFD, as in Python's `bytes.decode(errors="replace")`. NUL is an ordinary character.

    Args:
        to_tokens: from bytes to tokens, such as a `ByteLevelBPE`.
        start_id: id of the token in front of a text.
        pad_id: id of padding.
        end_id: id of the token behind a text.
        name: name of the module.
    """

    def __init__(self, to_tokens: ToTokens, start_id: int, pad_id: int, end_id: int, name: str):
        super().__init__(name=name)
        self.to_tokens = to_tokens
        self.start_id, self.pad_id, self.end_id = start_id, pad_id, end_id
        # Each is traced once, for batches of any size: first without, then with offsets.
        self._tokens = [
            tf.function(
                functools.partial(self._tokenize_all, with_offsets=with_offsets),
                input_signature=[tf.TensorSpec([None], tf.string)],
                autograph=False,
            )
            for with_offsets in (False, True)
        ]

    def __call__(
        self,
        texts: Any,
        text_pairs: Any = None,
        max_length: int | None = 512,
        with_offsets: bool = False,
        with_num_tokens: bool = False,
    ) -> dict[str, tf.Tensor]:
        """Tokenizes texts, adds special tokens, truncates, and pads to the longest row.

        Args:
            texts: tf.string [batch], or anything that becomes one.
            text_pairs: tf.string [batch], the second texts of pairs, for rows
                `<s> a </s></s> b </s>`; or None.
            max_length: largest number of tokens in a row, special tokens included. The longer text
                is cut first, like "longest_first" of the `tokenizers` library. None: no limit.
            with_offsets: whether to return the bytes that each token stands for.
            with_num_tokens: whether to return how long the rows were before they were cut.

        Returns:
            token_ids: int32 [batch, longest].
            padding_mask: int32 [batch, longest].
            offsets: int32 [batch, longest, 2], only if `with_offsets`: begin and end of each token
                in the bytes of its text, without white space at its front and its end. (0, 0) for
                special tokens that are not in the text.
            num_tokens: int32 [batch], only if `with_num_tokens`: the number of tokens of each row
                before it was cut, special tokens included.

        Raises:
            InputError: `max_length` leaves no room for the special tokens.
        """
        texts = tf.convert_to_tensor(texts, tf.string)
        both = [texts]
        if text_pairs is not None:
            both.append(tf.convert_to_tensor(text_pairs, tf.string))
        tokens = self._tokens[bool(with_offsets)](tf.concat(both, 0))
        with tf.device("CPU"):
            outputs = self._pack(max_length, len(both), *tokens)
            if with_num_tokens:
                outputs["num_tokens"] = sum(tf.split(tokens[1], len(both))) + 2 * len(both)
            return outputs

    def tokenize(self, texts: Any) -> tf.RaggedTensor:
        """Tokenizes texts without adding special tokens.

        Args:
            texts: tf.string [batch], or anything that becomes one.

        Returns:
            int32 ragged [batch, None], token ids
        """
        token_ids, counts = self._tokens[False](tf.convert_to_tensor(texts, tf.string))
        return tf.RaggedTensor.from_row_lengths(token_ids, counts, validate=False)

    def _tokenize_all(self, texts, with_offsets):
        """All token ids [tokens], their counts [batch], and offsets [tokens, 2] if asked for."""
        with tf.device("CPU"):
            num_texts = tf.size(texts)
            # Every text has a barrier behind it: a NUL that belongs to no text.
            lengths = tf.strings.length(texts) + 1  # (batch,)
            joined = tf.strings.reduce_join(tf.concat([texts, [""]], 0), separator="\0")
            utf8 = tf.cast(tf.io.decode_raw(joined, tf.uint8), tf.int32)  # (bytes,)
            rows = repeat_index(lengths) + 1  # (bytes,), from 1
            rows = tf.where(rows == following(rows), rows, 0)
            tokens = self.to_tokens(utf8, rows, with_spans=with_offsets)
            rows = tokens.texts  # (tokens,)
            counts = tf.math.unsorted_segment_sum(tf.ones_like(rows), rows - 1, num_texts)
            if not with_offsets:
                return tokens.token_ids, counts
            begins = tf.gather(tf.cumsum(lengths, exclusive=True), rows - 1)
            offsets = tf.stack([tokens.begins, tokens.ends], 1) - begins[:, None]
            return tokens.token_ids, counts, offsets

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
