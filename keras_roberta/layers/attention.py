"""Multi-head self-attention. Queries, keys and values come from one matrix product."""

import functools
import logging

import keras
from keras import ops

from keras_roberta.config import RobertaConfig
from keras_roberta.layers.attention_core import (
    attention_in_blocks,
    fused_attention,
    plain_attention,
)
from keras_roberta.layers.compiled import compiled
from keras_roberta.layers.configured import ConfiguredLayer
from keras_roberta.layers.dropout import RobertaDropout
from keras_roberta.layers.gather import gather_tokens
from keras_roberta.layers.gpu import compute_capability, has_gpu
from keras_roberta.layers.initializers import make_initializer
from keras_roberta.layers.tensor import Tensor

# Added to the attention score of a pair of tokens where the first may not see the second. Finite:
# a token that may see nothing gets equal weights, not NaN. Far enough below any real score that
# rounding to bfloat16 does not matter.
MASKED_SCORE = -1e9
# Sequences of more tokens than this are computed in blocks of queries.
LONG = 512

logger = logging.getLogger("keras_roberta")


def attention_bias(padding_mask: Tensor, segment_ids: Tensor | None = None) -> Tensor:
    """What is added to the attention scores: 0 where a token may be seen, else `MASKED_SCORE`.

    Args:
        padding_mask: int (batch, length), 1 for tokens and 0 for padding.
        segment_ids: optional int (batch, length). A token then sees only tokens with the same
            number, so that several documents can share a row without seeing each other.

    Returns:
        float32 (batch, 1, 1, length), or (batch, 1, length, length) with segments.
    """
    visible = ops.cast(padding_mask, "bool")[:, None, None, :]
    if segment_ids is not None:
        same = segment_ids[:, :, None] == segment_ids[:, None, :]  # (batch, length, length)
        visible = ops.logical_and(visible, same[:, None])
    return (1.0 - ops.cast(visible, "float32")) * MASKED_SCORE


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaSelfAttention(ConfiguredLayer):
    """Scaled dot-product self-attention (Vaswani et al., 2017, section 3.2).

    Computes `softmax(Q K^T / sqrt(head_dim) + bias) V`. The softmax is in float32, whatever the
    compute dtype.

    Args:
        config: a `RobertaConfig`; `config.attention` chooses the way to compute it.

    Call arguments:
        x: float (batch, length, hidden_dim)
        bias: float32 (batch, 1, 1, length), from `attention_bias`. With segments and `positions`:
            its rows at these positions, (batch, 1, positions, length).
        positions: int (batch, positions), the tokens to compute the output for; see
            `gather_tokens`. None for all.

    Returns:
        float (batch, length, hidden_dim), or (batch, positions, hidden_dim)
    """

    def __init__(self, config: RobertaConfig | dict, **kwargs):
        super().__init__(config, **kwargs)
        self.query_key_value = keras.layers.Dense(
            3 * self.config.hidden_dim,
            kernel_initializer=make_initializer(self.config, f"{self.name}/query_key_value"),
            dtype=self.dtype_policy,
            name="query_key_value",
        )
        self.output_dense = keras.layers.Dense(
            self.config.hidden_dim,
            kernel_initializer=make_initializer(self.config, f"{self.name}/output", residual=True),
            dtype=self.dtype_policy,
            name="output_dense",
        )
        self.dropout = RobertaDropout(
            self.config.attention_dropout, dtype=self.dtype_policy, name="attention_dropout"
        )

    def build(self, input_shape):
        self.query_key_value.build(input_shape)
        self.output_dense.build(input_shape)

    def call(
        self,
        x: Tensor,
        bias: Tensor,
        positions: Tensor | str | None = None,
        training: bool = False,
    ) -> Tensor:
        query, key, value = self._projections(x)
        query = gather_tokens(query, positions) * self.config.head_dim**-0.5

        rate = self.config.attention_dropout if training else 0.0
        seed = self.dropout.seed_generator.next() if rate else None
        core = self._core(key.shape[2], training, rate, positions)
        x = core(query, key, value, bias, seed, rate)  # (batch, heads, queries, head_dim)
        x = ops.transpose(x, (0, 2, 1, 3))
        x = ops.reshape(x, (ops.shape(x)[0], ops.shape(x)[1], self.config.hidden_dim))
        return self.output_dense(x)

    def probabilities(self, x: Tensor, bias: Tensor) -> Tensor:
        """The weights of the values: float32 (batch, heads, length, length).

        For people to look at; `call` does not need them all at once.
        """
        query, key, _ = self._projections(ops.cast(x, self.compute_dtype))
        query = query * self.config.head_dim**-0.5
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        return ops.softmax(ops.cast(scores, "float32") + bias)

    def _projections(self, x):
        """Query, key and value, each (batch, heads, length, head_dim)."""
        batch, length = ops.shape(x)[0], ops.shape(x)[1]
        x = self.query_key_value(x)  # (batch, length, 3 * hidden_dim)
        x = ops.reshape(x, (batch, length, 3, self.config.num_heads, self.config.head_dim))
        x = ops.transpose(x, (2, 0, 3, 1, 4))  # (3, batch, heads, length, head_dim)
        # Not x[0], x[1], x[2]: the gradient of each slice would be a tensor as large as x.
        return ops.unstack(x, 3, axis=0)

    def _core(self, length, training, rate, positions=None):
        """The function of `attention_core` to use. `length` is None where it is not known yet."""
        if isinstance(positions, str):
            return plain_attention  # for `<s>` alone there is one row of scores
        choice = self.config.attention
        flash = choice == "auto" and positions is None and self._has_flash_kernel(length, training)
        if rate and (flash or choice == "fused"):
            _say_once("attention: the fused kernel knows no dropout; it is not used in training")
            choice = "auto"
        elif flash:
            choice = "fused"
        if choice == "auto":
            if (length or self.config.max_sequence_length) > LONG:
                choice = "blocks"
            else:
                # In training only: a SavedModel would contain the XLA program.
                choice = "compiled" if has_gpu() and training else "plain"
        return {
            "plain": plain_attention,
            "blocks": attention_in_blocks,
            "compiled": compiled(plain_attention),
            "fused": fused_attention,
        }[choice]

    def _has_flash_kernel(self, length, training):
        """Whether Keras's operation runs cuDNN's flash kernel here.

        The conditions are those of `check_is_flash_attention` in JAX.
        """
        if not has_gpu() or keras.backend.backend() != "jax":
            return False
        head_dim, half = self.config.head_dim, self.compute_dtype in ("float16", "bfloat16")
        fits = half and head_dim % 8 == 0 and head_dim <= 128 and not (training and length % 2)
        fits = fits and compute_capability() >= (8, 0)
        if not fits or keras.config.is_flash_attention_enabled() is False:
            _say_once(
                f"attention: no flash kernel for {self.compute_dtype}, heads of {head_dim} and "
                f"{length} tokens; where Keras has it enabled, it takes half precision, multiples "
                "of 8 up to 128, in training even lengths, and compute capability 8"
            )
            return False
        return True


@functools.cache
def _say_once(message):
    logger.info(message)
