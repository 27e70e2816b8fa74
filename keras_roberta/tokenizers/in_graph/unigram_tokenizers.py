"""A sentencepiece Unigram tokenizer in graphs: for batches of strings, and for buffers of bytes."""

from collections.abc import Sequence

import tensorflow as tf

from keras_roberta.tokenizers.added_tokens import AddedToken
from keras_roberta.tokenizers.in_graph.static_rows import StaticRows
from keras_roberta.tokenizers.in_graph.unigram import Unigram
from keras_roberta.tokenizers.in_graph.vocabulary_rows import BatchedVocabularyRows
from keras_roberta.tokenizers.unigram.unigram_model import META_SPACE, UnigramModel


class BatchedUnigramTokenizer(BatchedVocabularyRows):
    """XLM-R's tokenizer on tf.string tensors; see `BatchedRows`.

    Args:
        model: pieces and character map.
        tokens: of each id, as the vocabulary spells it; None for ids without one.
        added_tokens: tokens that become one id where they are spelt out in a text.
        start_id: id of the token in front of a text.
        pad_id: id of padding.
        end_id: id of the token behind a text.
        name: name of the module.
    """

    def __init__(
        self,
        model: UnigramModel,
        tokens: Sequence[str | None],
        added_tokens: Sequence[AddedToken] = (),
        start_id: int = 0,
        pad_id: int = 1,
        end_id: int = 2,
        name: str = "batched_unigram_tokenizer",
    ):
        unigram = Unigram(model, added_tokens)
        super().__init__(unigram, tokens, added_tokens, start_id, pad_id, end_id, name)

    def detokenize(
        self, token_ids: tf.Tensor | tf.RaggedTensor, skip_special_tokens: bool = True
    ) -> tf.Tensor:
        """Converts token ids to texts, as the host's `decode`: the first token has no space in
        front.

        Args:
            token_ids: int32 [batch, length], dense or ragged. Ids beyond the vocabulary give "".
            skip_special_tokens: whether to leave out special tokens.

        Returns:
            tf.string [batch]
        """
        with tf.device("CPU"):
            tokens, is_first = self.tokens_of(token_ids, skip_special_tokens)
            without = tf.strings.regex_replace(tokens, META_SPACE, "")
            spaced = tf.strings.regex_replace(tokens, META_SPACE, " ")
            return tf.strings.reduce_join(tf.where(is_first, without, spaced), axis=-1)

    def spell(self, token_ids: tf.Tensor) -> tf.Tensor:
        """The text of each token, a space in front of words: tf.string, like the ids."""
        with tf.device("CPU"):
            return tf.strings.regex_replace(super().spell(token_ids), META_SPACE, " ")


class StaticUnigramTokenizer(StaticRows):
    """XLM-R's tokenizer on buffers of bytes, for phones; see `StaticRows`.

    Normalized, a text may be longer than it is: a space comes in front, and some characters become
    several. All texts of a call have room for 64 characters more than their buffers have bytes. If
    that is not enough the end is cut, and `num_tokens` is more than the length of the row.

    Args:
        model, tokens, added_tokens, start_id, pad_id, end_id: see `BatchedUnigramTokenizer`.
        name: name of the module.
    """

    def __init__(
        self,
        model: UnigramModel,
        tokens: Sequence[str | None],
        added_tokens: Sequence[AddedToken] = (),
        start_id: int = 0,
        pad_id: int = 1,
        end_id: int = 2,
        name: str = "static_unigram_tokenizer",
    ):
        spelt = [(token or "").replace(META_SPACE, " ").encode() for token in tokens]
        unigram = Unigram(model, added_tokens)
        super().__init__(unigram, spelt, start_id, pad_id, end_id, name)
