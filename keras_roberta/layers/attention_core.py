"""Scaled dot-product attention of all heads: three functions, each best at some lengths or devices.

All compute `softmax(query key^T + bias) value` (Vaswani et al., 2017, section 3.2). The softmax is
in float32, and dropout is applied to its result. They take

    query: float (batch, heads, queries, head_dim), scaled by 1 / sqrt(head_dim) already.
    key, value: float (batch, heads, length, head_dim)
    bias: float32 (batch, 1, 1, length) or (batch, 1, queries, length).
    seed: integer (2,), as `keras.random.SeedGenerator.next` gives, or None for no dropout.
    rate: the share that dropout sets to 0.

and return float (batch, heads, queries, head_dim).
"""

import functools

import keras
from keras import ops

from keras_roberta.layers.dropout import dropout
from keras_roberta.layers.tensor import Tensor

# Queries in a block. Only the scores of one block are in memory at a time.
BLOCK = 256


def plain_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor,
    seed: Tensor | None = None,
    rate: float = 0.0,
) -> Tensor:
    """Computes all scores at once, an array of (batch, heads, queries, length)."""
    weights = ops.cast(_weights(query, key, bias), value.dtype)
    return ops.matmul(_dropout(weights, seed, rate), value)


def attention_in_blocks(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor,
    seed: Tensor | None = None,
    rate: float = 0.0,
    block: int = BLOCK,
) -> Tensor:
    """Computes one block of queries after the other, so that memory is linear in the length.

    The backward pass does not keep the attention weights. It computes those of each block again,
    with the same dropout (as Dao et al., 2022, section 3.1). That is one more matrix product for
    every five.

    Args:
        query, key, value, bias, seed, rate: see the module.
        block: queries in a block.
    """
    # As few blocks as possible, of nearly equal size.
    length = ops.shape(query)[2]
    count = -(-length // block)
    size = -(-length // count)

    def whole_blocks(x):
        batch, heads, _, head_dim = ops.shape(x)
        rest = ops.zeros((batch, heads, count * size - length, head_dim), x.dtype)
        return ops.concatenate([x, rest], axis=2)  # (batch, heads, count * size, head_dim)

    def get(x, i):
        batch, heads, _, head_dim = ops.shape(x)
        return ops.slice(x, (0, 0, i * size, 0), (batch, heads, size, head_dim))

    def put(x, i, update):
        return ops.slice_update(x, (0, 0, i * size, 0), update)

    # Also what has no gradient is an argument: within `keras.remat`, JAX does not allow a function
    # with its own gradient to use tensors from outside.
    @ops.custom_gradient
    def attend(query, key, value, bias, *seeds):
        seed = seeds[0] if seeds else None

        def weights_of(i, query, key):
            rows = bias
            if bias.shape[2] != 1:  # the last block may reach beyond the last row
                rows = ops.take(bias, ops.minimum(i * size + ops.arange(size), length - 1), axis=2)
            weights = _weights(query, key, rows)  # (batch, heads, size, length)
            return weights, functools.partial(_dropout, seed=_seed_of_block(seed, i), rate=rate)

        # The output of a block is written where its queries were. So each block has to wait for the
        # one before; otherwise TensorFlow would run several at once, all of them in memory.
        def step(i, x):
            weights, dropout = weights_of(i, get(x, i), key)
            weights = dropout(ops.cast(weights, value.dtype))
            return put(x, i, ops.matmul(weights, value))

        output = ops.fori_loop(0, count, step, whole_blocks(query))

        def gradient(*args, upstream=None):
            upstream = whole_blocks(args[0] if upstream is None else upstream)
            value_t = ops.transpose(value, (0, 1, 3, 2))

            def step(i, state):
                x, d_key, d_value = state
                query, d_output = get(x, i), get(upstream, i)  # (batch, heads, size, head_dim)
                weights, dropout = weights_of(i, query, key)  # (batch, heads, size, length)
                dropped = dropout(ops.cast(weights, value.dtype))
                d_value += _sum_of_queries(dropped, d_output)
                # Dropout multiplies by a mask, so its gradient is itself.
                d_weights = ops.cast(dropout(ops.matmul(d_output, value_t)), "float32")
                mean = ops.sum(d_weights * weights, axis=-1, keepdims=True)
                d_scores = ops.cast((d_weights - mean) * weights, key.dtype)
                d_key += _sum_of_queries(d_scores, query)
                return put(x, i, ops.matmul(d_scores, key)), d_key, d_value

            zeros = ops.zeros_like(key, dtype="float32"), ops.zeros_like(value, dtype="float32")
            x, d_key, d_value = ops.fori_loop(0, count, step, (whole_blocks(query), *zeros))
            slopes = x[:, :, :length], ops.cast(d_key, key.dtype), ops.cast(d_value, value.dtype)
            return *slopes, None, *[None for _ in seeds]

        return output[:, :, :length], gradient

    return attend(query, key, value, bias, *([] if seed is None else [seed]))


def fused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor,
    seed: Tensor | None = None,
    rate: float = 0.0,
) -> Tensor:
    """Keras's own operation: cuDNN's flash kernel on JAX with a GPU and half precision.

    It has no dropout: `seed` and `rate` are not used.
    """
    # cuDNN wants a row of the bias for each query, and float16 has no number below -65,504.
    if keras.backend.standardize_dtype(query.dtype) == "float16":
        bias = ops.maximum(bias, -6e4)
    rows, length = ops.shape(query)[2], ops.shape(key)[2]
    bias = ops.broadcast_to(bias, (ops.shape(bias)[0], 1, rows, length))
    query, key, value = (ops.transpose(x, (0, 2, 1, 3)) for x in (query, key, value))
    x = ops.dot_product_attention(query, key, value, bias=bias, scale=1.0)
    return ops.transpose(x, (0, 2, 1, 3))


def _weights(query, key, bias):
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
    scores = ops.cast(scores, "float32") + bias  # (batch, heads, queries, length)
    return ops.softmax(scores, axis=-1)


def _sum_of_queries(weights, x):
    """float32 (batch, heads, length, head_dim)"""
    return ops.cast(ops.matmul(ops.transpose(weights, (0, 1, 3, 2)), x), "float32")


def _dropout(weights, seed, rate):
    return weights if seed is None else dropout(weights, rate, seed)


def _seed_of_block(seed, i):
    if seed is None:
        return None
    return seed + ops.cast(ops.stack([i, 0]), seed.dtype)
