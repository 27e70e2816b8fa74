"""Heads on the encoder: classes of a text, classes of each token, ends of an answer, tokens at
masked positions."""

import keras
from keras import ops

from keras_roberta.config import RobertaConfig
from keras_roberta.layers.configured import ConfiguredLayer
from keras_roberta.layers.dropout import RobertaDropout
from keras_roberta.layers.gather import gather_tokens
from keras_roberta.layers.gelu import gelu
from keras_roberta.layers.initializers import make_initializer
from keras_roberta.layers.projection import project_onto_vocabulary
from keras_roberta.layers.tensor import Tensor


def _float32(policy):
    """The policy of a head's last layer: float32 whatever the compute dtype, since bfloat16 has
    only two or three digits; but quantised where a map of policies says so."""
    if isinstance(policy, keras.dtype_policies.DTypePolicyMap):
        return keras.dtype_policies.DTypePolicyMap("float32", dict(policy))
    return keras.DTypePolicy("float32")


@keras.saving.register_keras_serializable(package="keras_roberta")
class ClassificationHead(ConfiguredLayer):
    """RoBERTa's head for whole texts: dropout, dense, tanh, dropout, dense, on the vector of `<s>`.

    Args:
        config: a `RobertaConfig`.
        num_classes: number of outputs.
        dropout: rate; None for the config's.
        hidden_dim: width of the first dense layer; None for the config's.

    Call arguments:
        hidden: float (batch, tokens, hidden_dim), the encoder's output with `<s>` first.

    Returns:
        float32 logits (batch, num_classes)
    """

    def __init__(
        self,
        config: RobertaConfig | dict,
        num_classes: int,
        dropout: float | None = None,
        hidden_dim: int | None = None,
        **kwargs,
    ):
        super().__init__(config, **kwargs)
        self.num_classes = num_classes
        self.hidden_dim = self.config.hidden_dim if hidden_dim is None else hidden_dim
        self.dropout_rate = self.config.dropout if dropout is None else dropout
        self.dropout = RobertaDropout(self.dropout_rate, dtype=self.dtype_policy, name="dropout")
        self.dense = keras.layers.Dense(
            self.hidden_dim,
            activation="tanh",
            kernel_initializer=make_initializer(self.config, f"{self.name}/dense"),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.logits = keras.layers.Dense(
            num_classes,
            kernel_initializer=make_initializer(self.config, f"{self.name}/logits"),
            dtype=_float32(self.dtype_policy),
            name="logits",
        )

    def build(self, input_shape):
        self.dense.build((input_shape[0], self.config.hidden_dim))
        self.logits.build((input_shape[0], self.hidden_dim))

    def call(self, hidden: Tensor, training: bool = False) -> Tensor:
        x = hidden[:, 0, :]  # (batch, hidden_dim), of <s>
        x = self.dense(self.dropout(x, training=training))
        return self.logits(self.dropout(x, training=training))

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "dropout": self.dropout_rate,
            "hidden_dim": self.hidden_dim,
        }


@keras.saving.register_keras_serializable(package="keras_roberta")
class PooledHead(ConfiguredLayer):
    """BERT's pooler and a dense layer on it, as in `RobertaForMultipleChoice`.

    Dense, tanh, dropout, dense, on the vector of `<s>`.

    Args:
        config: a `RobertaConfig`.
        num_outputs: columns of the result.
        dropout: rate; None for the config's.

    Call arguments:
        hidden: float (batch, tokens, hidden_dim), the encoder's output with `<s>` first.

    Returns:
        float32 (batch, num_outputs)
    """

    def __init__(
        self,
        config: RobertaConfig | dict,
        num_outputs: int,
        dropout: float | None = None,
        **kwargs,
    ):
        super().__init__(config, **kwargs)
        self.num_outputs = num_outputs
        self.dropout_rate = self.config.dropout if dropout is None else dropout
        self.dense = keras.layers.Dense(
            self.config.hidden_dim,
            activation="tanh",
            kernel_initializer=make_initializer(self.config, f"{self.name}/dense"),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dropout = RobertaDropout(self.dropout_rate, dtype=self.dtype_policy, name="dropout")
        self.logits = keras.layers.Dense(
            num_outputs,
            kernel_initializer=make_initializer(self.config, f"{self.name}/logits"),
            dtype=_float32(self.dtype_policy),
            name="logits",
        )

    def build(self, input_shape):
        shape = (input_shape[0], self.config.hidden_dim)
        self.dense.build(shape)
        self.logits.build(shape)

    def call(self, hidden: Tensor, training: bool = False) -> Tensor:
        pooled = self.dense(hidden[:, 0, :])  # (batch, hidden_dim), of <s>
        return self.logits(self.dropout(pooled, training=training))

    def get_config(self):
        return {
            **super().get_config(),
            "num_outputs": self.num_outputs,
            "dropout": self.dropout_rate,
        }


@keras.saving.register_keras_serializable(package="keras_roberta")
class MaskedLMHead(ConfiguredLayer):
    """RoBERTa's head for masked tokens: dense, GELU, layer norm, product with the token embedding.

    Only masked positions are multiplied with the embedding of the vocabulary. With 15% of the
    tokens masked, that is a seventh of what would be the largest product of the model. An encoder
    that is given the same `positions` computes most of its last block for them alone; its output
    is then all that the head needs. With `config.embedding_dim` the dense layer, the layer norm and
    the product have that width.

    Args:
        config: a `RobertaConfig`.
        token_embedding: the `ReversibleEmbedding` of the model. Its table is the last matrix of
            the head too; it is not saved with the head. With `config.tie_word_embeddings` False
            the head has a matrix of its own, `output_projection`.

    Call arguments:
        hidden: float (batch, length, hidden_dim) together with `mask_positions`; or the vectors at
            the masked positions alone, (batch, predictions, hidden_dim).
        mask_positions: int (batch, predictions), or None in the second case.

    Returns:
        float32 logits (batch, predictions, vocabulary_size)
    """

    def __init__(
        self,
        config: RobertaConfig | dict,
        token_embedding: keras.layers.ReversibleEmbedding,
        **kwargs,
    ):
        super().__init__(config, **kwargs)
        self.token_embedding = token_embedding
        self.dense = keras.layers.Dense(
            self.config.embedding_width,
            kernel_initializer=make_initializer(self.config, f"{self.name}/dense"),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.norm = self.layer_norm("layer_norm")

    def build(self, hidden_shape, mask_positions_shape=None):
        self.dense.build(hidden_shape)
        self.norm.build((*hidden_shape[:-1], self.config.embedding_width))
        self.output_bias = self.add_weight(
            shape=(self.config.vocabulary_size,), initializer="zeros", name="output_bias"
        )
        self.output_projection = None
        if not self.config.tie_word_embeddings:
            self.output_projection = self.add_weight(
                shape=(self.config.vocabulary_size, self.config.embedding_width),
                initializer=make_initializer(self.config, f"{self.name}/output", embedding=True),
                name="output_projection",
            )

    def call(self, hidden: Tensor, mask_positions: Tensor | None = None) -> Tensor:
        # (batch, predictions, embedding_width)
        x = self.norm(gelu(self.dense(gather_tokens(hidden, mask_positions))))
        bias = ops.cast(self.output_bias, "float32")
        table = self.output_projection
        if table is None:
            if self.token_embedding.quantization_mode is not None:
                return ops.cast(self.token_embedding(x, reverse=True), "float32") + bias
            table = self.token_embedding.embeddings
        return project_onto_vocabulary(x, ops.cast(table, x.dtype), bias)

    def compute_output_spec(self, hidden, mask_positions=None):
        # Without tracing, as in `RobertaEncoder`.
        shape = hidden.shape[:2] if mask_positions is None else mask_positions.shape
        shape = (*shape, self.config.vocabulary_size)
        return keras.KerasTensor(shape, "float32")


@keras.saving.register_keras_serializable(package="keras_roberta")
class TokenClassificationHead(ConfiguredLayer):
    """Dropout and one dense layer on every token, as in `RobertaForTokenClassification`.

    Args:
        config: a `RobertaConfig`.
        num_classes: number of outputs of each token.
        dropout: rate; None for the config's.

    Call arguments:
        hidden: float (batch, length, hidden_dim)

    Returns:
        float32 logits (batch, length, num_classes)
    """

    def __init__(
        self,
        config: RobertaConfig | dict,
        num_classes: int,
        dropout: float | None = None,
        **kwargs,
    ):
        super().__init__(config, **kwargs)
        self.num_classes = num_classes
        self.dropout_rate = self.config.dropout if dropout is None else dropout
        self.dropout = RobertaDropout(self.dropout_rate, dtype=self.dtype_policy, name="dropout")
        self.logits = keras.layers.Dense(
            num_classes,
            kernel_initializer=make_initializer(self.config, f"{self.name}/logits"),
            dtype=_float32(self.dtype_policy),
            name="logits",
        )

    def build(self, hidden_shape):
        self.logits.build(hidden_shape)

    def call(self, hidden: Tensor, training: bool = False) -> Tensor:
        return self.logits(self.dropout(hidden, training=training))

    def get_config(self):
        config = {**super().get_config(), "num_classes": self.num_classes}
        return {**config, "dropout": self.dropout_rate}


@keras.saving.register_keras_serializable(package="keras_roberta")
class SpanHead(ConfiguredLayer):
    """One dense layer on every token, as in `RobertaForQuestionAnswering`: whether an answer begins
    there, and whether it ends there.

    Args:
        config: a `RobertaConfig`.

    Call arguments:
        hidden: float (batch, length, hidden_dim)
        padding_mask: int (batch, length), 1 for tokens and 0 for padding.

    Returns:
        float32 logits (batch, length, 2), -1e4 at padding, so that its share is 0.
    """

    def __init__(self, config: RobertaConfig | dict, **kwargs):
        super().__init__(config, **kwargs)
        self.logits = keras.layers.Dense(
            2,
            kernel_initializer=make_initializer(self.config, f"{self.name}/logits"),
            dtype=_float32(self.dtype_policy),
            name="logits",
        )

    def build(self, hidden_shape, padding_mask_shape=None):
        self.logits.build(hidden_shape)

    def call(self, hidden: Tensor, padding_mask: Tensor) -> Tensor:
        is_token = ops.cast(padding_mask, "bool")[:, :, None]
        return ops.where(is_token, self.logits(hidden), -1e4)
