"""From token ids to the first hidden states."""

import keras
from keras import ops

from keras_roberta.config import RobertaConfig
from keras_roberta.layers.configured import ConfiguredLayer
from keras_roberta.layers.dropout import RobertaDropout
from keras_roberta.layers.initializers import make_initializer
from keras_roberta.layers.look_up import look_up
from keras_roberta.layers.tensor import Tensor


def position_ids(
    padding_mask: Tensor, pad_token_id: int, segment_ids: Tensor | None = None
) -> Tensor:
    """The positions of tokens: `pad_token_id + 1` for the first, one more for each token after it.

    Padding is not counted; its position is `pad_token_id` (fairseq's `make_positions`). With
    `segment_ids` the count starts again in each segment, so that each of several documents in one
    row has the positions that it would have alone.

    Args:
        padding_mask: int (batch, length), 1 for tokens, 0 for padding.
        pad_token_id: int.
        segment_ids: optional int (batch, length); equal ids belong together.

    Returns:
        int (batch, length)
    """
    mask = ops.cast(padding_mask, "int32")
    if segment_ids is None:
        count = ops.cumsum(mask, axis=1)  # (batch, length), 1 at the first token
    else:
        index = ops.arange(ops.shape(mask)[1])
        earlier = index[:, None] >= index[None, :]  # (length, length)
        same = segment_ids[:, :, None] == segment_ids[:, None, :]  # (batch, length, length)
        earlier = ops.cast(ops.logical_and(same, earlier), "int32")
        count = ops.sum(earlier * mask[:, None, :], axis=-1)
    return count * mask + pad_token_id


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaEmbeddings(ConfiguredLayer):
    """The sum of token, position and token type embeddings, then layer norm and dropout.

    Without `config.embedding_norm` there is no layer norm. With `config.embedding_dim` they are
    that wide, and a dense layer follows, as in ALBERT.

    Args:
        config: a `RobertaConfig`.

    Call arguments:
        token_ids: int (batch, length)
        padding_mask: int (batch, length)
        token_type_ids: optional int (batch, length); without it the token type is 0 everywhere.
        segment_ids: optional int (batch, length), see `position_ids`.

    Returns:
        float (batch, length, hidden_dim)
    """

    def __init__(self, config: RobertaConfig | dict, **kwargs):
        super().__init__(config, **kwargs)
        self.token_embedding = keras.layers.ReversibleEmbedding(
            self.config.vocabulary_size,
            self.config.embedding_width,
            embeddings_initializer=make_initializer(self.config, "token", embedding=True),
            dtype=self.dtype_policy,
            name="token_embedding",
        )
        self.position_embedding = self._table("position", self.config.num_positions)
        self.token_type_embedding = None
        if self.config.num_token_types:
            self.token_type_embedding = self._table("token_type", self.config.num_token_types)
        self.norm = self.layer_norm("layer_norm") if self.config.embedding_norm else None
        self.dropout = RobertaDropout(self.config.dropout, dtype=self.dtype_policy, name="dropout")
        self.projection = None
        if self.config.embedding_dim is not None:
            self.projection = keras.layers.Dense(
                self.config.hidden_dim,
                kernel_initializer=make_initializer(self.config, "embedding_projection"),
                dtype=self.dtype_policy,
                name="projection",
            )

    def _table(self, name, rows):
        return keras.layers.Embedding(
            rows,
            self.config.embedding_width,
            embeddings_initializer=make_initializer(self.config, name, embedding=True),
            dtype=self.dtype_policy,
            name=f"{name}_embedding",
        )

    def build(self, input_shape):
        self.token_embedding.build(input_shape)
        self.position_embedding.build(input_shape)
        if self.token_type_embedding is not None:
            self.token_type_embedding.build(input_shape)
        shape = (*input_shape, self.config.embedding_width)
        if self.norm is not None:
            self.norm.build(shape)
        if self.projection is not None:
            self.projection.build(shape)

    def call(
        self,
        token_ids: Tensor,
        padding_mask: Tensor,
        token_type_ids: Tensor | None = None,
        segment_ids: Tensor | None = None,
        training: bool = False,
    ) -> Tensor:
        positions = position_ids(padding_mask, self.config.pad_token_id, segment_ids)
        x = look_up(self.token_embedding, token_ids)  # (batch, length, embedding_width)
        x = x + look_up(self.position_embedding, positions)
        if self.token_type_embedding is not None:
            if token_type_ids is None and self.token_type_embedding.quantization_mode is None:
                # The same row for all tokens: adding it is faster than looking it up.
                x = x + ops.cast(self.token_type_embedding.embeddings[0], x.dtype)
            else:
                types = ops.zeros_like(token_ids) if token_type_ids is None else token_type_ids
                x = x + look_up(self.token_type_embedding, types)
        if self.norm is not None:
            x = self.norm(x)
        x = self.dropout(x, training=training)
        return x if self.projection is None else self.projection(x)
