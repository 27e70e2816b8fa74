"""The encoder: blocks of attention and feed-forward layers, each with a layer norm."""

import functools

import keras
from keras import ops

from keras_roberta.config import PARTS, RobertaConfig
from keras_roberta.layers.activations import activate
from keras_roberta.layers.attention import RobertaSelfAttention, attention_bias
from keras_roberta.layers.configured import ConfiguredLayer
from keras_roberta.layers.dropout import RobertaDropout, dropout
from keras_roberta.layers.gather import gather_tokens
from keras_roberta.layers.initializers import make_initializer
from keras_roberta.layers.rematerialization import rematerialized
from keras_roberta.layers.tensor import Tensor


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaEncoderBlock(ConfiguredLayer):
    """One transformer block with the norms behind the residuals, as in BERT and RoBERTa.

        x = norm(x + dropout(attention(x)))
        x = norm(x + dropout(W2 activation(W1 x)))

    or, with `config.norm_first`, in front of the parts (Xiong et al., 2020, section 3):

        x = x + dropout(attention(norm(x)))
        x = x + dropout(W2 activation(W1 norm(x)))

    With `config.activation_dropout` there is dropout behind the activation, too.

    Args:
        config: a `RobertaConfig`.
        attention_of: another block whose attention, with its layer norm, is this one's too.
        feed_forward_of: another block whose feed-forward part, with its layer norm, is this one's.

    Call arguments:
        x: float (batch, length, hidden_dim)
        bias, positions: as in `RobertaSelfAttention`. With `positions` the whole block is computed
            for these tokens only, apart from the keys and values of the attention.

    Returns:
        float (batch, length, hidden_dim), or (batch, positions, hidden_dim)
    """

    def __init__(
        self,
        config: RobertaConfig | dict,
        attention_of: "RobertaEncoderBlock | None" = None,
        feed_forward_of: "RobertaEncoderBlock | None" = None,
        **kwargs,
    ):
        super().__init__(config, **kwargs)
        if attention_of is None:
            self.attention = RobertaSelfAttention(
                self.config, dtype=self.dtype_policy, name=f"{self.name}_attention"
            )
            self.attention_norm = self.layer_norm("attention_layer_norm")
        else:
            self.attention = attention_of.attention
            self.attention_norm = attention_of.attention_norm
        if feed_forward_of is None:
            self.intermediate_dense = self._dense("intermediate", self.config.intermediate_dim)
            self.output_dense = self._dense("output", self.config.hidden_dim, residual=True)
            self.output_norm = self.layer_norm("output_layer_norm")
        else:
            self.intermediate_dense = feed_forward_of.intermediate_dense
            self.output_dense = feed_forward_of.output_dense
            self.output_norm = feed_forward_of.output_norm
        self.dropout = RobertaDropout(self.config.dropout, dtype=self.dtype_policy, name="dropout")
        self.activation_dropout = RobertaDropout(
            self.config.activation_dropout, dtype=self.dtype_policy, name="activation_dropout"
        )

    def _dense(self, name, units, residual=False):
        return keras.layers.Dense(
            units,
            kernel_initializer=make_initializer(
                self.config, f"{self.name}/{name}", residual=residual
            ),
            dtype=self.dtype_policy,
            name=f"{name}_dense",
        )

    def build(self, input_shape):
        inner_shape = (*input_shape[:-1], self.config.intermediate_dim)
        for layer, shape in (
            (self.attention, input_shape),
            (self.attention_norm, input_shape),
            (self.intermediate_dense, input_shape),
            (self.output_dense, inner_shape),
            (self.output_norm, input_shape),
        ):
            if not layer.built:  # that of another block is
                layer.build(shape)

    def call(
        self,
        x: Tensor,
        bias: Tensor,
        positions: Tensor | str | None = None,
        training: bool = False,
    ) -> Tensor:
        x = ops.cast(x, self.compute_dtype)
        y = self.attention(self.attention_input(x), bias, positions=positions, training=training)
        x = gather_tokens(x, positions)
        x = self.dropout(y, residual=x, training=training)
        if not self.config.norm_first:
            x = self.attention_norm(x)
        y = self.output_norm(x) if self.config.norm_first else x
        y = self.intermediate_dense(y)  # (batch, length, intermediate_dim)
        y = activate(y, self.config.hidden_activation, training=training)
        y = self.activation_dropout(y, training=training)
        y = self.output_dense(y)
        x = self.dropout(y, residual=x, training=training)
        return x if self.config.norm_first else self.output_norm(x)

    def attention_input(self, x: Tensor) -> Tensor:
        """What the attention is computed on, of the block's input; of the same shape."""
        return self.attention_norm(x) if self.config.norm_first else x


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaEncoder(ConfiguredLayer):
    """A stack of `config.num_layers` blocks.

    With `config.parameter_sharing` blocks have layers in common: the same objects, so that there is
    one copy of their weights in memory and in files, and one gradient, the sum over the blocks.

    Args:
        config: a `RobertaConfig`. With `config.remat` the blocks are computed a second time in the
            backward pass, which saves memory. With `config.layer_drop` some are left out in
            training. With `config.norm_first` a layer norm follows the last block.

    Call arguments:
        x: float (batch, length, hidden_dim)
        padding_mask: int (batch, length), 1 for tokens and 0 for padding.
        segment_ids: optional int (batch, length): a token sees only tokens with the same number.
        return_hidden_states: return the outputs of all blocks, not only of the last.
        positions: int (batch, positions), the only tokens whose output is needed; see
            `gather_tokens`. The last block is then computed for these alone.

    Returns:
        float (batch, length, hidden_dim), or (batch, positions, hidden_dim) where `positions` is
        given; with `return_hidden_states` a list of `num_layers` tensors, of which only the last
        is cut to `positions`, and is behind the layer norm that follows it.
    """

    def __init__(self, config: RobertaConfig | dict, **kwargs):
        super().__init__(config, **kwargs)
        blocks = []
        for i in range(self.config.num_layers):
            owners = {f"{part}_of": self.config.owner(i, part) for part in PARTS}
            shared = {name: blocks[owner] for name, owner in owners.items() if owner != i}
            name = f"block_{i}"
            blocks.append(
                RobertaEncoderBlock(self.config, **shared, dtype=self.dtype_policy, name=name)
            )
        self.blocks = blocks
        self.norm = self.layer_norm("layer_norm") if self.config.norm_first else None
        self.layer_seeds = keras.random.SeedGenerator() if self.config.layer_drop else None

    def build(self, input_shape):
        for block in self.blocks:
            block.build(input_shape)
        if self.norm is not None:
            self.norm.build(input_shape)

    def call(
        self,
        x: Tensor,
        padding_mask: Tensor,
        segment_ids: Tensor | None = None,
        return_hidden_states: bool = False,
        positions: Tensor | str | None = None,
        training: bool = False,
    ) -> Tensor | list[Tensor]:
        bias = attention_bias(padding_mask, segment_ids)
        kept = self._kept() if self.config.layer_drop and training else None
        hidden_states = []
        for i, block in enumerate(self.blocks):
            wanted = None
            if block is self.blocks[-1]:
                wanted = positions
                bias = bias if bias.shape[2] == 1 else gather_tokens(bias, positions)
            run = block
            if self.config.remat and training:
                run = functools.partial(rematerialized, block)
            y = run(x, bias, positions=wanted, training=training)
            if kept is not None:
                y = ops.where(kept[i], y, gather_tokens(ops.cast(x, y.dtype), wanted))
            x = y
            hidden_states.append(x)
        if self.norm is not None:
            hidden_states[-1] = x = self.norm(x)
        return hidden_states if return_hidden_states else x

    def _kept(self):
        """Which blocks a step keeps: bool (num_layers,)."""
        # By `dropout`, so that they are the same within an XLA program and outside.
        ones = ops.ones((len(self.blocks),), "float32")
        return dropout(ones, self.config.layer_drop, self.layer_seeds.next()) > 0

    def compute_output_spec(self, x, padding_mask, segment_ids=None, positions=None, **kwargs):
        # Keras would find the shape by tracing the encoder. That takes long, and TensorFlow would
        # keep every trace: it registers the gradients of `gelu` in each.
        if kwargs.get("return_hidden_states"):
            return super().compute_output_spec(
                x, padding_mask, segment_ids, positions=positions, **kwargs
            )
        batch, length, hidden_dim = x.shape
        if positions is not None:
            length = 1 if isinstance(positions, str) else positions.shape[1]
        return keras.KerasTensor((batch, length, hidden_dim), self.compute_dtype)
