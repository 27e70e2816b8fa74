"""Tokenizers of words or characters in graphs: for batches of strings, and for buffers of bytes."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from keras_roberta.tokenizers.added_tokens import AddedToken
from keras_roberta.tokenizers.in_graph.static_rows import StaticRows
from keras_roberta.tokenizers.in_graph.vocabulary_rows import BatchedVocabularyRows
from keras_roberta.tokenizers.in_graph.word_level import WordLevel
from keras_roberta.tokenizers.kinds.splitting import Splitting


class BatchedWordLevelTokenizer(BatchedVocabularyRows):
    """Words or characters of tf.string tensors; see `BatchedRows`.

    Args:
        vocabulary: token to id.
        unk_token: of what is not in it.
        splitting: how texts are split.
        separator: what stands between tokens when they are joined to a text.
        tokens: of each id, added ones too; None for ids without one.
        added_tokens: tokens that become one id where they are spelt out in a text.
        start_id: id of the token in front of a text.
        pad_id: id of padding.
        end_id: id of the token behind a text.
        name: name of the module.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        unk_token: str,
        splitting: Splitting,
        separator: str,
        tokens: Sequence[str | None],
        added_tokens: Sequence[AddedToken] = (),
        start_id: int = 0,
        pad_id: int = 1,
        end_id: int = 2,
        name: str = "batched_word_level_tokenizer",
    ):
        word_level = WordLevel(vocabulary, vocabulary[unk_token], splitting, added_tokens)
        super().__init__(word_level, tokens, added_tokens, start_id, pad_id, end_id, name)
        self.separator = separator

    def detokenize(
        self, token_ids: tf.Tensor | tf.RaggedTensor, skip_special_tokens: bool = True
    ) -> tf.Tensor:
        """Converts token ids to texts, as the host's `decode`.

        Args:
            token_ids: int32 [batch, length], dense or ragged. Ids beyond the vocabulary give "".
            skip_special_tokens: whether to leave out special tokens.

        Returns:
            tf.string [batch]
        """
        with tf.device("CPU"):
            tokens, is_first = self.tokens_of(token_ids, skip_special_tokens)
            bare = is_first | (tokens == "")
            spaced = tf.where(bare, tokens, tf.strings.join([self.separator, tokens]))
            return tf.strings.reduce_join(spaced, axis=-1)


class StaticWordLevelTokenizer(StaticRows):
    """Words or characters of buffers of bytes, for phones; see `StaticRows`.

    Args:
        vocabulary, unk_token, splitting, separator, tokens, added_tokens, start_id, pad_id, end_id:
            see `BatchedWordLevelTokenizer`.
        name: name of the module.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        unk_token: str,
        splitting: Splitting,
        separator: str,
        tokens: Sequence[str | None],
        added_tokens: Sequence[AddedToken] = (),
        start_id: int = 0,
        pad_id: int = 1,
        end_id: int = 2,
        name: str = "static_word_level_tokenizer",
    ):
        del separator  # for joining, which is not done here
        word_level = WordLevel(vocabulary, vocabulary[unk_token], splitting, added_tokens)
        spelt = [(token or "").encode() for token in tokens]
        super().__init__(word_level, spelt, start_id, pad_id, end_id, name)
