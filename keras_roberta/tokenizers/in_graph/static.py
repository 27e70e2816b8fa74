"""The tokenizer with static shapes: bytes in, ids out, of TFLite's built-in ops alone."""

import numpy as np
import tensorflow as tf

from keras_roberta.tokenizers import byte_buffer
from keras_roberta.tokenizers.in_graph.byte_level_bpe import ByteLevelBPE, spellings
from keras_roberta.tokenizers.in_graph.row_layout import PAD, TOKENS, layout


class StaticTokenizer(tf.Module):
    """RoBERTa's tokenizer on a buffer of bytes, for phones.

    Same ids as the batched and the host tokenizer. A text longer than the buffer has to be cut
    before, at the end of a character: `byte_buffer.fill` does it; what is cut within a character
    counts as malformed. Malformed bytes become U+FFFD, three bytes: where that makes a text outgrow
    the buffers, its end is cut.

    Args:
        vocabulary: dict, token in the GPT-2 byte alphabet -> id.
        merges: list of (left, right), best first.
        special_tokens: those that become their id where a text spells them out. None: all of
            `<s>`, `<pad>`, `</s>`, `<unk>` and `<mask>`; see `ByteLevelBPE`.
        add_prefix_space: whether "a" is read as " a". RoBERTa's own tokenizer does not.
        start_id, pad_id, end_id: the ids around texts and behind them.
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
        name="static_tokenizer",
    ):
        super().__init__(name=name)
        self.bpe = ByteLevelBPE(vocabulary, merges, special_tokens, add_prefix_space)
        self.start_id, self.pad_id, self.end_id = start_id, pad_id, end_id
        spelt = [*spellings(vocabulary), b""]  # of each id, and at last that of all others
        lengths = np.array([len(token) for token in spelt])
        self.longest_spelling = int(lengths.max())
        with tf.init_scope(), tf.device("CPU"):
            self.spellings = tf.constant(np.frombuffer(b"".join(spelt) + b"\0", np.uint8))
            self.spelling_begins = tf.constant(np.cumsum(lengths) - lengths, tf.int32)
            self.spelling_lengths = tf.constant(lengths, tf.int32)

    def __call__(
        self,
        utf8,
        utf8_pair=None,
        *,
        sequence_length,
        lengths=None,
        pair_lengths=None,
        with_offsets=False,
    ):
        """Tokenizes.

        Args:
            utf8: int32 or uint8 [batch, bytes], static, zeros behind the text.
            utf8_pair: the same for the second text of a pair; may have another number of bytes.
            sequence_length: int, places in the output.
            lengths, pair_lengths: int32 [batch], the bytes of each text. None: a text ends before
                the zeros at the end of its buffer. A text whose own end is NULs is followed by the
                byte FF, which is in no UTF-8 and does not count.
            with_offsets: whether to tell which bytes a token stands for.

        Returns:
            dict of int32 tensors: `token_ids`, `padding_mask` [batch, sequence_length];
            `num_tokens` [batch], the tokens of each row, special ones included, before it was cut;
            with offsets also `offsets` [batch, sequence_length, 2], as in `BatchedTokenizer`.
        """
        sides = [(utf8, lengths)]
        if utf8_pair is not None:
            sides.append((utf8_pair, pair_lengths))
        batch = utf8.shape[0]
        num_texts = batch * len(sides)

        # All buffers behind one another, with a barrier behind each.
        columns = [lay_out_bytes(*side, 1 + batch * i) for i, side in enumerate(sides)]
        utf8, texts = (tf.concat(column, 0) for column in zip(*columns, strict=True))  # (size,)
        size = utf8.shape[0]
        token_ids, texts, *spans = self.bpe(utf8, texts, size, with_offsets)  # (size,)

        counts = tf.math.unsorted_segment_sum(tf.ones_like(texts), texts, num_texts + 1)[1:]
        rows = layout(
            tf.split(counts, len(sides)),
            tf.split(tf.cumsum(counts, exclusive=True), len(sides)),
            sequence_length,
            length=sequence_length,
        )  # (batch, sequence_length)
        around = tf.constant([self.pad_id, self.start_id, self.end_id])  # as PAD, START, END
        outputs = {
            "token_ids": tf.gather(tf.concat([around, token_ids], 0), rows),
            "padding_mask": tf.cast(rows != PAD, tf.int32),
            "num_tokens": sum(tf.split(counts, len(sides))) + 2 * len(sides),
        }
        if with_offsets:
            widths = [side[0].shape[1] + 1 for side in sides for _ in range(batch)]
            begins = tf.constant([0, *np.cumsum([0, *widths[:-1]])], tf.int32)  # (1 + num_texts,)
            offsets = tf.stack(spans, 1) - tf.gather(begins, texts)[:, None]  # (size, 2)
            nowhere = tf.zeros([TOKENS, 2], tf.int32)
            outputs["offsets"] = tf.gather(tf.concat([nowhere, offsets], 0), rows)
        return outputs

    def spell(self, token_ids):
        """UTF-8 of each token by itself: int32 [...] -> uint8 [..., bytes of the longest token],
        zeros behind, and lengths int32 [...]. Unknown ids have the length 0.

        A token may be a part of a character.
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


def lay_out_bytes(utf8, lengths, first):
    """Flattens a buffer [batch, bytes] with a barrier behind each row.

    Returns the bytes and the number of the text of each, from `first`, 0 at barriers and padding:
    both int32 [batch * (bytes + 1)].
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
