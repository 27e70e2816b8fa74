"""Buffers of bytes as rows of ids, with static shapes and only TFLite's built-in operations."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_roberta.tokenizers import byte_buffer
from keras_roberta.tokenizers.in_graph.row_layout import PAD, TOKENS, layout
from keras_roberta.tokenizers.in_graph.tokens import ToTokens


class StaticRows(tf.Module):
    """A tokenizer on buffers of bytes, for phones.

    The ids are those of the batched tokenizer and the host tokenizer. A text that is longer than
    the buffer must be cut before, at the end of a character, as `byte_buffer.fill` does. A
    character that is cut in two counts as malformed bytes.

    Args:
        to_tokens: from bytes to tokens, such as a `ByteLevelBPE`.
        spelt: the bytes of each id.
        start_id: id of the token in front of a text.
        pad_id: id of padding.
        end_id: id of the token behind a text.
        name: name of the module.
    """

    def __init__(
        self,
        to_tokens: ToTokens,
        spelt: Sequence[bytes],
        start_id: int,
        pad_id: int,
        end_id: int,
        name: str,
    ):
        super().__init__(name=name)
        self.to_tokens = to_tokens
        self.start_id, self.pad_id, self.end_id = start_id, pad_id, end_id
        spelt = [*spelt, b""]  # for all other ids
        lengths = np.array([len(token) for token in spelt])
        self.longest_spelling = int(lengths.max())
        with tf.init_scope(), tf.device("CPU"):
            self.spellings = tf.constant(np.frombuffer(b"".join(spelt) + b"\0", np.uint8))
            self.spelling_begins = tf.constant(np.cumsum(lengths) - lengths, tf.int32)
            self.spelling_lengths = tf.constant(lengths, tf.int32)

    def __call__(
        self,
        utf8: tf.Tensor,
        utf8_pair: tf.Tensor | None = None,
        *,
        sequence_length: int,
        lengths: tf.Tensor | None = None,
        pair_lengths: tf.Tensor | None = None,
        with_offsets: bool = False,
    ) -> dict[str, tf.Tensor]:
        """Tokenizes texts, adds special tokens, truncates and pads.

        Args:
            utf8: int32 or uint8 [batch, bytes] of static shape, with zeros behind each text.
            utf8_pair: the same for the second texts of pairs, or None. The number of bytes may be
                another one.
            sequence_length: length of the output rows.
            lengths: int32 [batch], the number of bytes of each text. None: a text ends before the
                zeros at the end of its buffer. If the text itself ends with NULs, the byte FF must
                follow it. FF never occurs in UTF-8 and is not part of the text.
            pair_lengths: the same for the second texts.
            with_offsets: whether to return the bytes that each token stands for.

        Returns:
            token_ids: int32 [batch, sequence_length].
            padding_mask: int32 [batch, sequence_length].
            num_tokens: int32 [batch], the number of tokens of each row before it was cut, special
                tokens included.
            offsets: int32 [batch, sequence_length, 2], only if `with_offsets`; see
                `BatchedTokenizer`.

        Raises:
            InputError: `sequence_length` leaves no room for the special tokens.
        """
        sides = [(utf8, lengths)]
        if utf8_pair is not None:
            sides.append((utf8_pair, pair_lengths))
        batch = utf8.shape[0]
        num_texts = batch * len(sides)

        # All buffers one after the other, with a barrier behind each.
        columns = [lay_out_bytes(*side, 1 + batch * i) for i, side in enumerate(sides)]
        utf8, texts = (tf.concat(column, 0) for column in zip(*columns, strict=True))  # (size,)
        size = utf8.shape[0]
        tokens = self.to_tokens(utf8, texts, size, with_offsets)
        token_ids, texts = tokens.token_ids, tokens.texts  # (size,), or longer

        counts = tf.math.unsorted_segment_sum(tf.ones_like(texts), texts, num_texts + 1)[1:]
        rows = layout(
            tf.split(counts, len(sides)),
            tf.split(tf.cumsum(counts, exclusive=True), len(sides)),
            sequence_length,
            length=sequence_length,
        )  # (batch, sequence_length)
        around = tf.constant([self.pad_id, self.start_id, self.end_id])  # as PAD, START, END
        num_tokens = sum(tf.split(counts, len(sides))) + 2 * len(sides)
        if tokens.first_cut is not None:  # then it was cut, however few tokens are left
            is_cut = tf.cast(tf.range(1, num_texts + 1) >= tokens.first_cut, tf.int32)
            is_cut = sum(tf.split(is_cut, len(sides))) > 0  # (batch,)
            num_tokens = tf.where(is_cut, tf.maximum(num_tokens, sequence_length + 1), num_tokens)
        outputs = {
            "token_ids": tf.gather(tf.concat([around, token_ids], 0), rows),
            "padding_mask": tf.cast(rows != PAD, tf.int32),
            "num_tokens": num_tokens,
        }
        if with_offsets:
            widths = [side[0].shape[1] + 1 for side in sides for _ in range(batch)]
            begins = tf.constant([0, *np.cumsum([0, *widths[:-1]])], tf.int32)  # (1 + num_texts,)
            offsets = tf.stack([tokens.begins, tokens.ends], 1)  # (size, 2)
            offsets -= tf.gather(begins, texts)[:, None]
            nowhere = tf.zeros([TOKENS, 2], tf.int32)
            outputs["offsets"] = tf.gather(tf.concat([nowhere, offsets], 0), rows)
        return outputs

    def spell(self, token_ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The bytes of each token. They need not be whole characters.

        Args:
            token_ids: int32 [...].

        Returns:
            utf8: uint8 [..., bytes of the longest token], with zeros behind each token.
            lengths: int32 [...], the number of bytes of each token; 0 for unknown ids.
        """
        ids = tf.minimum(tf.reshape(token_ids, [-1]), self.spelling_lengths.shape[0] - 1)
        lengths = tf.gather(self.spelling_lengths, ids)  # (tokens,)
        place = tf.range(self.longest_spelling)[None]  # (1, longest)
        source = tf.where(
            place < lengths[:, None],
            tf.gather(self.spelling_begins, ids)[:, None] + place,
            self.spellings.shape[0] - 1,  # a zero
        )
        utf8 = tf.gather(self.spellings, tf.reshape(source, [-1]))
        shape = token_ids.shape.as_list()
        return tf.reshape(utf8, [*shape, self.longest_spelling]), tf.reshape(lengths, shape)


def lay_out_bytes(
    utf8: tf.Tensor, lengths: tf.Tensor | None, first: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Flattens the buffers of a batch, with a barrier behind each.

    Args:
        utf8: int32 or uint8 [batch, bytes].
        lengths: int32 [batch], or None; see `StaticRows`.
        first: the number of the first text.

    Returns:
        utf8: int32 [batch * (bytes + 1)], the bytes.
        texts: int32 [batch * (bytes + 1)], the number of each byte's text; 0 at barriers and
            padding.
    """
    utf8 = tf.pad(tf.cast(utf8, tf.int32), [[0, 0], [0, 1]])  # (batch, bytes + 1)
    place = tf.range(utf8.shape[1])[None]  # (1, bytes + 1)
    if lengths is None:
        lengths = tf.reduce_max(tf.where(utf8 > 0, place + 1, 0), axis=1)  # (batch,)
        final = tf.reduce_max(tf.where(place == lengths[:, None] - 1, utf8, 0), axis=1)  # (batch,)
        lengths -= tf.cast(final == byte_buffer.TERMINATOR, tf.int32)
    rows = first + tf.range(utf8.shape[0])[:, None]  # (batch, 1)
    inside = place < tf.minimum(lengths, utf8.shape[1] - 1)[:, None]
    texts = tf.where(inside, rows, 0)
    return tf.reshape(tf.where(inside, utf8, 0), [-1]), tf.reshape(texts, [-1])
