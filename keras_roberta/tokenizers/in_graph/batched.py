"""RoBERTa's tokenizer for batches of strings, for tf.data, SavedModels and TF Serving."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from keras_roberta.tokenizers.added_tokens import AddedToken, special_added_tokens
from keras_roberta.tokenizers.in_graph.batched_rows import BatchedRows
from keras_roberta.tokenizers.in_graph.byte_level_bpe import ByteLevelBPE
from keras_roberta.tokenizers.special_token_names import SpecialTokenNames
from keras_roberta.tokenizers.spelling import bytes_of_ids


class BatchedTokenizer(BatchedRows):
    """RoBERTa's tokenizer on tf.string tensors.

    For every string the ids are those of the host tokenizer. Bytes that are not UTF-8 count as
    U+FFFD, as in Python's `bytes.decode(errors="replace")`. NUL is an ordinary character.

    Args:
        vocabulary: {token in the GPT-2 byte alphabet: id}.
        merges: pairs (left, right), in the order of their ranks.
        added_tokens: tokens that become one id where they are spelt out in a text. None: those of
            `<s>`, `<pad>`, `</s>`, `<unk>` and `<mask>` that are in the vocabulary.
        add_prefix_space: whether to tokenize "a" like " a". RoBERTa's own tokenizer does not.
        start_id: id of the token in front of a text.
        pad_id: id of padding.
        end_id: id of the token behind a text.
        name: name of the module.

    >>> tokenizer = BatchedTokenizer(vocabulary, merges)                        # doctest: +SKIP
    >>> tokenizer(["Hello world"])["token_ids"].numpy()                         # doctest: +SKIP
    array([[    0, 31414,   232,     2]], dtype=int32)
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        merges: Sequence[tuple[str, str]],
        added_tokens: Sequence[AddedToken] | None = None,
        add_prefix_space: bool = False,
        start_id: int = 0,
        pad_id: int = 1,
        end_id: int = 2,
        name: str = "batched_tokenizer",
    ):
        if added_tokens is None:
            added_tokens = special_added_tokens(SpecialTokenNames(), vocabulary)
        bpe = ByteLevelBPE(vocabulary, merges, added_tokens, add_prefix_space)
        super().__init__(bpe, start_id, pad_id, end_id, name)
        with tf.init_scope(), tf.device("CPU"):
            # The bytes of each id, and at the end b"" for all other ids.
            self.spellings = tf.constant([*bytes_of_ids(vocabulary, added_tokens), b""])
            special = [token.id for token in added_tokens if token.special]
            plain = bytes_of_ids(vocabulary, added_tokens, skip=special)
            self.plain_spellings = tf.constant([*plain, b""])  # (num_ids + 1,) like the others

    def detokenize(
        self, token_ids: tf.Tensor | tf.RaggedTensor, skip_special_tokens: bool = True
    ) -> tf.Tensor:
        """Converts token ids to texts.

        Args:
            token_ids: int32 [batch, length], dense or ragged. Ids beyond the vocabulary give "".
            skip_special_tokens: whether to leave out special tokens.

        Returns:
            tf.string [batch]. Bytes that are not UTF-8 become U+FFFD.
        """
        with tf.device("CPU"):
            spellings = self.plain_spellings if skip_special_tokens else self.spellings
            token_ids = tf.minimum(tf.cast(token_ids, tf.int32), tf.size(spellings) - 1)
            texts = tf.strings.reduce_join(tf.gather(spellings, token_ids), axis=-1)
            return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")

    def spell(self, token_ids: tf.Tensor) -> tf.Tensor:
        """The bytes of each token, which need not be whole characters: tf.string, like the ids."""
        with tf.device("CPU"):
            return tf.gather(self.spellings, tf.minimum(token_ids, tf.size(self.spellings) - 1))
