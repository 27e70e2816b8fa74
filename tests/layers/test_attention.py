"""Every way of computing attention beside the formula in float64, with its gradients."""

import functools
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.layers import RobertaSelfAttention, attention_bias
from keras_roberta.layers import attention as attention_module
from keras_roberta.layers.attention import MASKED_SCORE
from keras_roberta.layers.attention_core import (
    attention_in_blocks,
    fused_attention,
    plain_attention,
)
from keras_roberta.layers.compiled import compiled
from keras_roberta.layers.gather import gather_tokens

BATCH, HEADS, LENGTH, HEAD_DIM = 2, 3, 13, 8
in_blocks = functools.partial(attention_in_blocks, block=5)  # three, the last not full

CORES = {
    "plain": plain_attention,
    "blocks": in_blocks,
    "one block": attention_in_blocks,
    "compiled": compiled(plain_attention),
    "fused": fused_attention,
}
PADDED = np.arange(LENGTH) < [[LENGTH], [6]]
SEGMENTS = np.array([[1] * 4 + [2] * 8 + [3], [1] * 6 + [0] * 7])
MASKS = {
    "padding": (PADDED, None),
    "packed segments": (PADDED, SEGMENTS),
    "a row that may see nothing": (np.arange(LENGTH) < [[LENGTH], [0]], None),
}


def arrays(dtype):
    """Query (scaled, as a layer gives it), key, value and the gradient of the output."""
    random = np.random.default_rng(0)
    query, *others = (random.normal(size=(BATCH, HEADS, LENGTH, HEAD_DIM)) for _ in range(4))
    return [tf.cast(x, dtype) for x in (query * HEAD_DIM**-0.5, *others)]


def with_gradients(core, inputs, bias, seed=None, rate=0.0, dynamic=False, jit_compile=False):
    """Output and gradients of query, key and value, in a graph."""
    signature = None
    if dynamic:
        free = tf.TensorSpec((None, HEADS, None, HEAD_DIM), inputs[0].dtype)
        rows = 1 if bias.shape[2] == 1 else None
        signature = [free] * 4 + [tf.TensorSpec((None, 1, rows, None), tf.float32)]

    @tf.function(input_signature=signature, jit_compile=jit_compile)
    def run(query, key, value, upstream, bias):
        with tf.GradientTape() as tape:
            tape.watch([query, key, value])
            output = core(query, key, value, bias, seed, rate)
        return output, *tape.gradient(output, [query, key, value], upstream)

    return [np.asarray(tf.cast(x, "float64")) for x in run(*inputs, bias)]


def reference(inputs, bias, mask=None):
    """The same by the formulas, in float64; `mask` is what dropout multiplies the weights by."""
    query, key, value, upstream = (np.asarray(tf.cast(x, "float64")) for x in inputs)
    # A row that may see nothing has even weights.
    scores = np.where(np.asarray(bias) < 0, np.float64(MASKED_SCORE), query @ key.swapaxes(2, 3))
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    mask = np.ones_like(weights) if mask is None else mask
    d_weights = (upstream @ value.swapaxes(2, 3)) * mask
    d_scores = weights * (d_weights - (d_weights * weights).sum(-1, keepdims=True))
    return [
        (weights * mask) @ value,
        d_scores @ key,
        d_scores.swapaxes(2, 3) @ query,
        (weights * mask).swapaxes(2, 3) @ upstream,
    ]


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("core", CORES)
def test_output_and_gradients_are_those_of_the_formula(core, masks):
    inputs, bias = arrays("float32"), attention_bias(*MASKS[masks])
    results = with_gradients(CORES[core], inputs, bias)
    for ours, expected in zip(results, reference(inputs, bias), strict=True):
        bound = 1e-5 * max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(ours, expected, rtol=0, atol=bound)


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("core", CORES)
def test_bfloat16_keeps_output_and_gradients(core, masks):
    # Each value is rounded several times, by up to 0.4%, so the error is that of the whole array.
    inputs, bias = arrays("bfloat16"), attention_bias(*MASKS[masks])
    results = with_gradients(CORES[core], inputs, bias)
    for ours, expected in zip(results, reference(inputs, bias), strict=True):
        assert np.linalg.norm(ours - expected) < 1e-2 * np.linalg.norm(expected)


@pytest.mark.parametrize(
    "how", [dict(dynamic=True), dict(jit_compile=True)], ids=["dynamic", "jit"]
)
@pytest.mark.parametrize("masks", ["padding", "packed segments"])
def test_blocks_of_shapes_not_known_before_and_in_compiled_steps(masks, how):
    inputs, bias = arrays("float32"), attention_bias(*MASKS[masks])
    results = with_gradients(in_blocks, inputs, bias, **how)
    for ours, expected in zip(results, reference(inputs, bias), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize(
    "how", [{}, dict(dynamic=True), dict(jit_compile=True)], ids=["graph", "dynamic", "jit"]
)
@pytest.mark.parametrize("core", ["plain", "blocks", "compiled"])
def test_dropout_and_its_gradient(core, how):
    rate, seed = 0.4, tf.constant([7, 0], "int64")
    query, key, _, upstream = arrays("float32")
    # The weights themselves: of the unit matrix, in pieces as wide as a head.
    bias = attention_bias(*MASKS["padding"])
    unit = np.eye(LENGTH + -LENGTH % HEAD_DIM, dtype="float32")[:LENGTH]
    pieces = np.split(unit, unit.shape[1] // HEAD_DIM, axis=1)
    run = functools.partial(with_gradients, CORES[core], bias=bias, **how)
    weights, dropped = [], []
    for piece in pieces:
        value = tf.convert_to_tensor(np.broadcast_to(piece, upstream.shape))
        for results, drawn in ((weights, (None, 0.0)), (dropped, (seed, rate))):
            results.append(run([query, key, value, upstream], seed=drawn[0], rate=drawn[1])[0])
    weights, dropped = (np.concatenate(x, axis=-1)[..., :LENGTH] for x in (weights, dropped))
    mask = np.divide(dropped, weights, out=np.zeros_like(weights), where=weights > 1e-12)
    visible = np.broadcast_to(weights > 1e-12, mask.shape)
    assert set(np.unique(mask[visible].round(3))) == {0.0, round(1 / (1 - rate), 3)}
    assert np.mean(mask[visible] == 0) == pytest.approx(rate, abs=0.07)  # 4 standard deviations
    for block in (mask[:1, :, :5], mask[:1, :, 5:10]):  # masks of blocks and heads differ
        assert not np.array_equal(block, mask[:1, :, 8:13])
    assert not np.array_equal(mask[0, 0], mask[0, 1])

    inputs = arrays("float32")
    results = run(inputs, seed=seed, rate=rate)
    for ours, expected in zip(results, reference(inputs, bias, mask), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5)
    other = run(inputs, seed=seed + 1, rate=rate)
    assert not np.allclose(results[0], other[0])


@pytest.mark.parametrize(
    "attention, longest, length, training, expected",
    [
        ("auto", 32, 13, True, "plain"),
        ("auto", 4096, 13, True, "plain"),  # known to be short
        ("auto", 4096, None, True, "blocks"),
        ("auto", 4096, 2048, False, "blocks"),
        ("plain", 4096, 4096, True, "plain"),
        ("blocks", 32, 13, True, "blocks"),
        ("compiled", 32, 13, False, "compiled"),
    ],
)
def test_the_core_is_chosen_by_length(config, attention, longest, length, training, expected):
    config = config.replace(attention_dropout=0.0, max_sequence_length=longest)
    layer = RobertaSelfAttention(config.replace(attention=attention))
    x = tf.function(lambda x: layer(x, tf.zeros((1, 1, 1, 1)), training=training))
    graph = x.get_concrete_function(tf.TensorSpec((1, length, 32))).graph.as_graph_def()
    ops = {node.op for node in graph.node} | {
        node.op for function in graph.library.function for node in function.node_def
    }
    compiled = any("_XlaMustCompile" in f.attr for f in graph.library.function)
    found = "blocks" if ops & {"While", "StatelessWhile"} else "compiled" if compiled else "plain"
    assert found == expected


@pytest.mark.parametrize(
    "backend, capability, dtype, heads, length, rate, expected",
    [
        ("jax", (9, 0), "bfloat16", 4, 32, 0.0, fused_attention),
        ("jax", (7, 5), "float16", 4, 32, 0.0, compiled(plain_attention)),
        ("jax", (9, 0), "bfloat16", 4, 31, 0.0, compiled(plain_attention)),
        ("jax", (9, 0), "bfloat16", 4, 4096, 0.0, fused_attention),
        ("jax", (9, 0), "bfloat16", 4, 32, 0.1, compiled(plain_attention)),
        ("jax", (9, 0), "bfloat16", 8, 32, 0.0, compiled(plain_attention)),  # heads of 4
        ("jax", (9, 0), "float32", 4, 32, 0.0, compiled(plain_attention)),
        ("jax", (9, 0), "float32", 4, 4096, 0.0, attention_in_blocks),
        ("tensorflow", (9, 0), "bfloat16", 4, 32, 0.0, compiled(plain_attention)),
        ("tensorflow", (9, 0), "bfloat16", 4, 4096, 0.1, attention_in_blocks),
    ],
)
def test_the_core_on_a_gpu(
    config, monkeypatch, caplog, backend, capability, dtype, heads, length, rate, expected
):
    attention_module._say_once.cache_clear()
    caplog.set_level(logging.INFO, "keras_roberta")
    config = config.replace(num_heads=heads, max_sequence_length=4096)
    layer = RobertaSelfAttention(config, dtype=dtype)
    monkeypatch.setattr(attention_module, "has_gpu", lambda: True)
    monkeypatch.setattr(attention_module, "compute_capability", lambda: capability)
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    for _ in range(2):
        assert layer._core(length, True, rate) is expected
    # The kernel wants as many queries as keys.
    assert layer._core(length, True, rate, np.zeros((1, 3))) is not fused_attention
    # On JAX, where there could have been one, one line says why there is not.
    lines = [r.getMessage() for r in caplog.records if "attention: " in r.getMessage()]
    assert len(lines) == (backend == "jax" and expected is not fused_attention)


def test_all_ways_give_the_same_layer_output(config):
    x = np.random.default_rng(1).normal(size=(2, LENGTH, 32)).astype("float32")
    bias = attention_bias(*MASKS["packed segments"])
    outputs = []
    for attention in ("plain", "blocks", "compiled", "fused"):
        layer = RobertaSelfAttention(config.replace(attention=attention), name="attention")
        outputs.append(np.asarray(layer(x, bias)))
        first = layer(x, bias[:, :, :1], positions="first")
        np.testing.assert_allclose(first, outputs[0][:, :1], atol=1e-5)
        places = np.array([[5, 0], [2, 2]])
        some = layer(x, gather_tokens(bias, places), positions=places)
        np.testing.assert_allclose(some[0], outputs[0][0, [5, 0]], atol=1e-5)
        np.testing.assert_allclose(some[1], outputs[0][1, [2, 2]], atol=1e-5)
    for output in outputs[1:]:
        np.testing.assert_allclose(output, outputs[0], atol=1e-5)


def test_dropout_without_a_fused_kernel_is_said_once(config, caplog):
    attention_module._say_once.cache_clear()
    caplog.set_level(logging.INFO, "keras_roberta")
    layer = RobertaSelfAttention(config.replace(attention="fused"))
    x, bias = np.ones((1, 4, 32), "float32"), attention_bias(np.ones((1, 4)))
    for _ in range(2):
        layer(x, bias, training=True)
    assert [r.getMessage() for r in caplog.records].count(
        "attention: the fused kernel knows no dropout; it is not used in training"
    ) == 1


def test_blocks_in_a_trained_model(config):
    """Seeds are drawn, moved on and saved as for plain attention."""
    x, bias = np.ones((1, LENGTH, 32), "float32"), attention_bias(np.ones((1, LENGTH)))
    keras.utils.set_random_seed(3)
    layers = [RobertaSelfAttention(config.replace(attention=a)) for a in ("plain", "blocks")]
    for layer in layers:
        first, second = layer(x, bias, training=True), layer(x, bias, training=True)
        assert not np.allclose(first, second)
    states = [[np.asarray(v)[1] for v in la.non_trainable_variables] for la in layers]
    assert states[0] == states[1] == [2]


def test_each_block_of_queries_draws_its_own_dropout():
    """Equal weights on values that tell the tokens apart show what was dropped."""
    zeros = tf.zeros((1, 1, 8, 8))
    found = attention_in_blocks(
        zeros, zeros, tf.eye(8)[None, None], tf.zeros((1, 1, 1, 8)),
        seed=tf.constant([3, 8], "int64"), rate=0.5, block=2,
    )  # fmt: skip
    blocks = np.asarray(found)[0, 0].reshape(4, 16) > 0
    assert 0.3 < blocks.mean() < 0.7
    assert len({row.tobytes() for row in blocks}) == 4


def test_a_token_that_may_see_nothing_stays_finite_in_the_fused_kernel_too():
    ones = tf.ones((1, 1, 3, 4), "float16")
    bias = attention_bias(np.zeros((1, 3), int))
    np.testing.assert_allclose(fused_attention(ones, ones, ones, bias), ones, atol=1e-3)
