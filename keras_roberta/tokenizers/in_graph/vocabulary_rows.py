"""Batches of strings as rows of ids, for tokenizers that know the text of each id."""

from collections.abc import Sequence

import tensorflow as tf

from keras_roberta.tokenizers.added_tokens import AddedToken
from keras_roberta.tokenizers.in_graph.batched_rows import BatchedRows
from keras_roberta.tokenizers.in_graph.tokens import ToTokens


class BatchedVocabularyRows(BatchedRows):
    """A tokenizer on tf.string tensors, with the tokens of its ids; see `BatchedRows`.

    Args:
        to_tokens: from bytes to tokens.
        tokens: of each id, as the vocabulary spells it; None for ids without one.
        added_tokens: tokens that become one id where they are spelt out in a text.
        start_id, pad_id, end_id, name: see `BatchedRows`.
    """

    def __init__(
        self,
        to_tokens: ToTokens,
        tokens: Sequence[str | None],
        added_tokens: Sequence[AddedToken],
        start_id: int,
        pad_id: int,
        end_id: int,
        name: str,
    ):
        super().__init__(to_tokens, start_id, pad_id, end_id, name)
        known = [token is not None for token in tokens]
        special = {token.id for token in added_tokens if token.special}
        plain = [is_known and i not in special for i, is_known in enumerate(known)]
        with tf.init_scope(), tf.device("CPU"):
            # Of each id, and at the end of all other ids.
            self.tokens = tf.constant([*((token or "").encode() for token in tokens), b""])
            self.is_known = tf.constant([*known, False])
            self.is_plain = tf.constant([*plain, False])

    def tokens_of(
        self, token_ids: tf.Tensor | tf.RaggedTensor, skip_special_tokens: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The tokens of some ids.

        Args:
            token_ids: int32 [batch, length], dense or ragged. Ids beyond the vocabulary give "".
            skip_special_tokens: whether special tokens give "" as well.

        Returns:
            tokens: tf.string [batch, length].
            is_first: bool, same shape, the first token of each row that counts.
        """
        beyond = tf.size(self.tokens) - 1
        if isinstance(token_ids, tf.RaggedTensor):
            token_ids = tf.cast(token_ids, tf.int32).to_tensor(beyond)
        token_ids = tf.minimum(tf.cast(token_ids, tf.int32), beyond)
        counts = tf.gather(self.is_plain if skip_special_tokens else self.is_known, token_ids)
        is_first = counts & (tf.cumsum(tf.cast(counts, tf.int32), axis=-1) == 1)
        return tf.where(counts, tf.gather(self.tokens, token_ids), ""), is_first

    def spell(self, token_ids: tf.Tensor) -> tf.Tensor:
        """The text of each token by itself: tf.string, like the ids."""
        with tf.device("CPU"):
            return tf.gather(self.tokens, tf.minimum(token_ids, tf.size(self.tokens) - 1))
