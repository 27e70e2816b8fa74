"""The encoder: attention and feed-forward blocks, each normalised after its residual."""

import functools

import keras
from keras import ops

from keras_roberta.layers.attention import RobertaSelfAttention, attention_bias
from keras_roberta.layers.configured import ConfiguredLayer
from keras_roberta.layers.dropout import RobertaDropout
from keras_roberta.layers.gather import gather_tokens
from keras_roberta.layers.gelu import gelu
from keras_roberta.layers.initializers import make_initializer
from keras_roberta.layers.rematerialization import rematerialized


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaEncoderBlock(ConfiguredLayer):
    """One post-norm transformer block with exact GELU, as in BERT and RoBERTa.

        x = norm(x + dropout(attention(x)))
        x = norm(x + dropout(W2 gelu(W1 x)))

    Call arguments:
        x: float (batch, length, hidden_dim)
        bias, positions: as in `RobertaSelfAttention`.

    Returns:
        float (batch, length, hidden_dim), or (batch, positions, hidden_dim)
    """

    def __init__(self, config, **kwargs):
        super().__init__(config, **kwargs)
        self.attention = RobertaSelfAttention(
            self.config, dtype=self.dtype_policy, name=f"{self.name}_attention"
        )
        self.attention_norm = self.layer_norm("attention_layer_norm")
        self.intermediate_dense = self._dense("intermediate", self.config.intermediate_dim)
        self.output_dense = self._dense("output", self.config.hidden_dim)
        self.output_norm = self.layer_norm("output_layer_norm")
        self.dropout = RobertaDropout(self.config.dropout, dtype=self.dtype_policy, name="dropout")

    def _dense(self, name, units):
        return keras.layers.Dense(
            units,
            kernel_initializer=make_initializer(self.config, f"{self.name}/{name}"),
            dtype=self.dtype_policy,
            name=f"{name}_dense",
        )

    def build(self, input_shape):
        self.attention.build(input_shape)
        self.attention_norm.build(input_shape)
        self.intermediate_dense.build(input_shape)
        self.output_dense.build((*input_shape[:-1], self.config.intermediate_dim))
        self.output_norm.build(input_shape)

    def call(self, x, bias, positions=None, training=False):
        x = ops.cast(x, self.compute_dtype)
        y = self.attention(x, bias, positions=positions, training=training)
        x = gather_tokens(x, positions)
        x = self.attention_norm(self.dropout(y, residual=x, training=training))
        y = self.intermediate_dense(x)  # (batch, length, intermediate_dim)
        y = self.output_dense(gelu(y, training=training))
        return self.output_norm(self.dropout(y, residual=x, training=training))


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaEncoder(ConfiguredLayer):
    """A stack of `config.num_layers` blocks.

    Call arguments:
        x: float (batch, length, hidden_dim)
        padding_mask: int (batch, length), 1 for tokens.
        segment_ids: optional int (batch, length): attention stays inside a segment.
        return_hidden_states: give the output of every block instead of the last.
        positions: compute the last block for these tokens alone, as in `gather_tokens`.

    Returns:
        float (batch, length, hidden_dim), or a list of `num_layers` of them; the last is
        (batch, positions, hidden_dim) if these are given.
    """

    def __init__(self, config, **kwargs):
        super().__init__(config, **kwargs)
        self.blocks = [
            RobertaEncoderBlock(self.config, dtype=self.dtype_policy, name=f"block_{i}")
            for i in range(self.config.num_layers)
        ]

    def build(self, input_shape):
        for block in self.blocks:
            block.build(input_shape)

    def call(
        self,
        x,
        padding_mask,
        segment_ids=None,
        return_hidden_states=False,
        positions=None,
        training=False,
    ):
        bias = attention_bias(padding_mask, segment_ids)
        hidden_states = []
        for block in self.blocks:
            wanted = None
            if block is self.blocks[-1]:
                wanted = positions
                bias = bias if bias.shape[2] == 1 else gather_tokens(bias, positions)
            run = block
            if self.config.remat and training:
                run = functools.partial(rematerialized, block)
            x = run(x, bias, positions=wanted, training=training)
            hidden_states.append(x)
        return hidden_states if return_hidden_states else x

    def compute_output_spec(self, x, padding_mask, segment_ids=None, positions=None, **kwargs):
        # Known without tracing, which takes long and keeps what it traced: TensorFlow registers
        # the gradient of every trace of `gelu`.
        if kwargs.get("return_hidden_states"):
            return super().compute_output_spec(
                x, padding_mask, segment_ids, positions=positions, **kwargs
            )
        batch, length, hidden_dim = x.shape
        if positions is not None:
            length = 1 if isinstance(positions, str) else positions.shape[1]
        return keras.KerasTensor((batch, length, hidden_dim), self.compute_dtype)
