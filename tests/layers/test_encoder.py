import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.config import INITIALIZERS
from keras_roberta.layers import RobertaEncoder, RobertaSelfAttention, attention_bias
from keras_roberta.layers.encoder import RobertaEncoderBlock


def reference_attention(x, mask, layer, heads):
    """Softmax(QK'/sqrt(d))V head by head, in float64 numpy."""
    kernel = np.asarray(layer.query_key_value.kernel, "float64")
    query, key, value = np.split(
        x @ kernel + np.asarray(layer.query_key_value.bias, "float64"), 3, axis=-1
    )
    width = x.shape[-1] // heads
    out = np.zeros_like(x, "float64")
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        scores = query[..., part] @ key[..., part].transpose(0, 2, 1) / np.sqrt(width)
        scores = np.where(mask, scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        out[..., part] = weights @ value[..., part]
    return out @ np.asarray(layer.output_dense.kernel) + np.asarray(layer.output_dense.bias)


@pytest.mark.parametrize("segments", [None, [[1, 1, 2, 2, 2, 3], [1, 1, 1, 1, 0, 0]]])
def test_attention_equals_the_formula(config, segments):
    layer = RobertaSelfAttention(config)
    x = np.random.default_rng(0).normal(size=(2, 6, 32))
    padding = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
    mask = np.broadcast_to(padding[:, None, :] == 1, (2, 6, 6))
    if segments is not None:
        segments = np.array(segments)
        mask = mask & (segments[:, :, None] == segments[:, None, :])
    out = layer(x.astype("float32"), attention_bias(padding, segments))
    real = padding == 1
    expected = reference_attention(x, np.where(real[:, :, None], mask, True), layer, 4)
    np.testing.assert_allclose(np.asarray(out)[real], expected[real], atol=1e-5)


def test_a_block_equals_the_formula(config):
    """norm(x + attention), then norm(x + W2 gelu(W1 x)), in float64."""
    block = RobertaEncoderBlock(config.replace(layer_norm_epsilon=0.01))
    random = np.random.default_rng(0)
    x, mask = random.normal(size=(2, 6, 32)), np.ones((2, 6), int)
    block.build(x.shape)
    for weight in block.weights:
        weight.assign(random.normal(0, 0.3, weight.shape))
    found = block(x.astype("float32"), attention_bias(mask))

    def norm(x, layer):
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 0.01)
        return x * np.asarray(layer.gamma) + np.asarray(layer.beta)

    everywhere = np.ones((2, 6, 6), bool)
    y = reference_attention(x, everywhere, block.attention, config.num_heads)
    x = norm(x + y, block.attention_norm)
    y = x @ np.asarray(block.intermediate_dense.kernel) + np.asarray(block.intermediate_dense.bias)
    y = y * (1 + np.vectorize(math.erf)(y / math.sqrt(2))) / 2
    y = y @ np.asarray(block.output_dense.kernel) + np.asarray(block.output_dense.bias)
    np.testing.assert_allclose(found, norm(x + y, block.output_norm), atol=2e-5)


@pytest.mark.parametrize("part", ["attention", "feed-forward"])
def test_what_a_part_adds_is_dropped_from(config, part):
    """Ones added to zeros are 0 behind the norm, unless some of them are missing."""
    block = RobertaEncoderBlock(config.replace(dropout=0.5, attention_dropout=0.0))
    x, bias = np.zeros((2, 6, 32), "float32"), attention_bias(np.ones((2, 6), int))
    block.build(x.shape)
    for last in (block.attention.output_dense, block.output_dense):
        last.kernel.assign(np.zeros(last.kernel.shape))
    last = block.attention.output_dense if part == "attention" else block.output_dense
    last.bias.assign(np.ones(last.bias.shape))
    np.testing.assert_allclose(block(x, bias), x, atol=1e-5)
    dropped = np.asarray(block(x, bias, training=True)) < 0  # of 0 and 2 about as many
    assert dropped.mean() == pytest.approx(0.5, abs=0.1)


def test_activations_are_dropped(config):
    """Of ones behind the activation, passed on as they are, some are missing and none else."""
    block = RobertaEncoderBlock(
        config.replace(
            dropout=0.0, attention_dropout=0.0, activation_dropout=0.5, hidden_activation="relu"
        )
    )
    x, bias = np.zeros((2, 6, 32), "float32"), attention_bias(np.ones((2, 6), int))
    block.build(x.shape)
    for layer in (block.attention.output_dense, block.intermediate_dense, block.output_dense):
        layer.kernel.assign(np.zeros(layer.kernel.shape))
    block.intermediate_dense.bias.assign(np.ones(config.intermediate_dim))
    block.output_dense.kernel.assign(np.eye(config.intermediate_dim, 32))
    np.testing.assert_allclose(block(x, bias), x, atol=1e-5)
    dropped = np.asarray(block(x, bias, training=True)) < 0  # of 0 and 2 about as many
    assert dropped.mean() == pytest.approx(0.5, abs=0.1)


def test_blocks_are_left_out(config):
    """Each by itself, with a probability of 0.3, in training alone; also within one program."""
    settings = dict(dropout=0.0, attention_dropout=0.0, hidden_activation="relu")
    config = config.replace(layer_drop=0.3, **settings)
    encoder = RobertaEncoder(config)
    x = np.random.default_rng(4).normal(size=(2, 5, 32)).astype("float32")
    mask, bias = np.ones((2, 5), int), attention_bias(np.ones((2, 5), int))
    encoder.build(x.shape)
    first, second = encoder.blocks
    stacks = {
        (True, True): second(first(x, bias), bias),
        (True, False): first(x, bias),
        (False, True): second(x, bias),
        (False, False): x,
    }
    np.testing.assert_allclose(encoder(x, mask), stacks[True, True], atol=1e-5)

    @tf.function(jit_compile=True)
    def train():
        with tf.GradientTape() as tape:
            y = encoder(x, mask, positions="first", training=True)
            loss = tf.reduce_sum(y**3)
        of_second = tape.gradient(loss, second.trainable_variables)
        return y, tf.add_n([tf.norm(gradient) for gradient in of_second])

    seen = []
    for _ in range(200):
        y, gradient = train()
        (kept,) = [kept for kept, z in stacks.items() if np.allclose(y, z[:, :1], atol=1e-5)]
        assert (gradient > 0) == kept[1]
        seen.append(kept)
    assert set(seen) == set(stacks)
    np.testing.assert_allclose(np.mean(seen, axis=0), [0.7, 0.7], atol=5 * math.sqrt(0.21 / 200))
    assert abs(np.corrcoef(np.transpose(seen))[0, 1]) < 5 / math.sqrt(200)


def test_what_is_off_draws_no_seeds(config):
    """A seed more would change those that are drawn behind it."""
    config = config.replace(dropout=0.2, attention_dropout=0.0)
    seeds = [v for v in RobertaEncoder(config).non_trainable_variables if "seed" in v.path]
    assert len(seeds) == config.num_layers
    more = RobertaEncoder(config.replace(activation_dropout=0.1, layer_drop=0.1))
    seeds = [v for v in more.non_trainable_variables if "seed" in v.path]
    assert len(seeds) == 2 * config.num_layers + 1


def test_shapes_are_known_before_it_runs(config):
    encoder = RobertaEncoder(config)
    x, mask = keras.KerasTensor((None, 6, 32)), keras.KerasTensor((None, 6), "int32")
    places = keras.KerasTensor((None, 3), "int32")
    for positions, length in ((None, 6), ("first", 1), (places, 3)):
        assert encoder(x, mask, positions=positions).shape == (None, length, 32)


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_a_row_that_may_see_nothing_stays_finite(config, dtype):
    layer = RobertaSelfAttention(config, dtype=dtype)
    out = layer(np.ones((1, 3, 32), "float32"), attention_bias(np.zeros((1, 3), int)))
    assert np.isfinite(np.asarray(out, "float32")).all()


def test_padding_does_not_change_the_text(config):
    encoder = RobertaEncoder(config)
    x = np.random.default_rng(1).normal(size=(1, 8, 32)).astype("float32")
    short = encoder(x[:, :5], np.ones((1, 5), int))
    long = encoder(x, np.array([[1] * 5 + [0] * 3]))
    np.testing.assert_allclose(short, np.asarray(long)[:, :5], atol=1e-5)


def test_packed_segments_do_not_see_each_other(config):
    encoder = RobertaEncoder(config)
    x = np.random.default_rng(2).normal(size=(1, 7, 32)).astype("float32")
    packed = encoder(x, np.ones((1, 7), int), segment_ids=np.array([[1, 1, 1, 2, 2, 2, 2]]))
    for part in (slice(0, 3), slice(3, 7)):
        alone = encoder(x[:, part], np.ones((1, x[:, part].shape[1]), int))
        np.testing.assert_allclose(np.asarray(packed)[:, part], alone, atol=1e-5)


def test_half_precision_is_near_float32(config):
    encoders = [RobertaEncoder(config, dtype=d) for d in ("float32", "mixed_bfloat16")]
    x = np.random.default_rng(3).normal(size=(2, 8, 32)).astype("float32")
    out = [np.asarray(e(x, np.ones((2, 8), int)), "float32") for e in encoders]
    np.testing.assert_allclose(out[0], out[1], atol=0.05)


def test_hidden_states_end_in_the_output(config):
    encoder = RobertaEncoder(config)
    x = np.ones((1, 4, 32), "float32")
    states = encoder(x, np.ones((1, 4), int), return_hidden_states=True)
    assert len(states) == config.num_layers
    np.testing.assert_allclose(states[-1], encoder(x, np.ones((1, 4), int)))


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_initialisers_are_seeded_and_differ_between_weights(config, initializer):
    config = config.replace(initializer=initializer)

    def weights(config):
        encoder = RobertaEncoder(config)
        encoder.build((None, None, config.hidden_dim))
        return [np.asarray(w) for w in encoder.weights if len(w.shape) == 2]

    first, second = weights(config), weights(config)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    other = weights(config.replace(seed=6))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    half = len(first) // 2  # the second block has the same shapes
    assert not any(np.array_equal(a, b) for a, b in zip(first[:half], first[half:], strict=True))
    if initializer != "glorot_uniform":
        assert np.std(first[0]) == pytest.approx(0.02, rel=0.15)


def test_what_is_added_to_the_residual_starts_smaller(config):
    """By the root of the number of such parts, in GPT-2's way."""
    encoder = RobertaEncoder(config.replace(num_layers=8, initializer="depth_scaled"))
    encoder.build((None, None, config.hidden_dim))
    block = encoder.blocks[7]
    for layer in (block.attention.output_dense, block.output_dense):
        assert np.std(layer.kernel) == pytest.approx(0.02 / 4, rel=0.1)
    for layer in (block.attention.query_key_value, block.intermediate_dense):
        assert np.std(layer.kernel) == pytest.approx(0.02, rel=0.1)


def test_dropout_follows_the_training_flag(config):
    encoder = RobertaEncoder(config.replace(dropout=0.5))
    x, mask = np.ones((1, 4, 32), "float32"), np.ones((1, 4), int)
    np.testing.assert_array_equal(encoder(x, mask), encoder(x, mask))
    assert not np.allclose(encoder(x, mask, training=True), encoder(x, mask, training=True))
    assert keras.ops.shape(encoder(x, mask)) == (1, 4, 32)


@pytest.mark.parametrize("segments", [None, [[1, 1, 1, 2, 2, 2], [1, 1, 1, 1, 0, 0]]])
@pytest.mark.parametrize("positions", ["first", [[3, 0, 0], [1, 2, 3]]])
@pytest.mark.parametrize("options", [{}, {"attention": "blocks", "remat": True}])
def test_some_positions_alone_are_as_among_all(config, segments, positions, options):
    """The outputs, and the gradients of what only uses these."""
    encoder = RobertaEncoder(config.replace(dropout=0.0, attention_dropout=0.0, **options))
    x = tf.random.stateless_normal((2, 6, 32), (4, 0))
    mask = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
    segments = None if segments is None else np.array(segments)
    rows = np.array([[0], [0]] if positions == "first" else positions)
    positions = positions if positions == "first" else rows

    def run(choose, **arguments):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = choose(encoder(x, mask, segment_ids=segments, training=True, **arguments))
            loss = tf.reduce_sum(y**3)
        return [y, *tape.gradient(loss, [x, *encoder.trainable_variables])]

    alone = run(lambda y: y, positions=positions)
    among_all = run(lambda y: tf.gather(y, rows, batch_dims=1))
    np.testing.assert_allclose(alone[0], among_all[0], atol=1e-6)
    for one, other in zip(alone[1:], among_all[1:], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
