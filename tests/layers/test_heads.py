"""The heads by hand: where they read, where they drop, and the formulas of their outputs."""

import math

import keras
import numpy as np
import pytest

from keras_roberta.layers import ClassificationHead, MaskedLMHead, TokenClassificationHead

ROWS, WIDTH, DROPOUT = 64, 32, 0.5


@pytest.fixture
def config(config):
    return config.replace(dropout=0.1, layer_norm_epsilon=0.25)  # large enough to be seen


def passes_on(layer, scale=1.0):
    """Gives a dense layer a multiple of the identity as its kernel."""
    layer.kernel.assign(scale * np.eye(WIDTH))


def shares(found, values):
    """The share of each value among what was found, which holds no other."""
    is_value = np.isclose(np.asarray(found)[..., None], values, atol=1e-6)
    assert is_value.any(axis=-1).all(), np.unique(found)
    return is_value.mean(axis=tuple(range(is_value.ndim - 1)))


def test_classes_of_a_text_come_from_its_first_token_by_tanh(config):
    head = ClassificationHead(config, num_classes=WIDTH)
    hidden = np.random.default_rng(0).normal(size=(ROWS, 3, WIDTH)).astype("float32")
    head.build(hidden.shape)
    passes_on(head.dense, 0.5), passes_on(head.logits, 2.0)
    head.dense.bias.assign(np.full(WIDTH, 0.1))
    head.logits.bias.assign(np.full(WIDTH, -3.0))
    expected = 2 * np.tanh(0.5 * hidden[:, 0] + 0.1) - 3
    np.testing.assert_allclose(head(hidden), expected, atol=1e-5)


def test_a_text_is_dropped_from_before_both_dense_layers(config):
    """Kept twice a number is doubled inside the tanh and once more outside: a quarter is kept."""
    head = ClassificationHead(config, num_classes=WIDTH, dropout=DROPOUT)
    hidden = np.full((ROWS, 2, WIDTH), 0.3, "float32")
    head.build(hidden.shape)
    passes_on(head.dense), passes_on(head.logits)
    zero, kept = shares(head(hidden, training=True), [0.0, 2 * math.tanh(0.6)])
    assert kept == pytest.approx(0.25, abs=0.05) and zero + kept == 1
    np.testing.assert_allclose(head(hidden), np.full((ROWS, WIDTH), math.tanh(0.3)), atol=1e-6)


@pytest.mark.parametrize(("rate", "in_config"), [(None, 0.5), (0.5, 0.1), (0.0, 0.5)])
def test_the_rate_is_the_heads_or_the_configs(config, rate, in_config):
    head = ClassificationHead(config.replace(dropout=in_config), num_classes=WIDTH, dropout=rate)
    hidden = np.full((ROWS, 1, WIDTH), 0.3, "float32")
    head.build(hidden.shape)
    passes_on(head.dense), passes_on(head.logits)
    share = np.mean(np.asarray(head(hidden, training=True)) == 0)
    assert share == pytest.approx(0.0 if rate == 0 else 0.75, abs=0.05)


def test_a_token_is_dropped_from_once(config):
    head = TokenClassificationHead(config.replace(dropout=DROPOUT), num_classes=WIDTH)
    hidden = np.full((ROWS, 3, WIDTH), 0.3, "float32")
    head.build(hidden.shape)
    passes_on(head.logits)
    head.logits.bias.assign(np.full(WIDTH, 1.0))
    zero, kept = shares(head(hidden, training=True), [1.0, 1.6])
    assert kept == pytest.approx(0.5, abs=0.05) and zero + kept == 1
    np.testing.assert_allclose(head(hidden), np.full((ROWS, 3, WIDTH), 1.3), atol=1e-6)


@pytest.mark.parametrize("tied", [True, False])
def test_masked_tokens_by_the_formula(config, tied):
    """Dense, exact GELU, layer norm, product with the table of tokens, in float64."""
    random = np.random.default_rng(0)
    config = config.replace(tie_word_embeddings=tied)
    size = config.vocabulary_size
    embedding = keras.layers.ReversibleEmbedding(size, WIDTH)
    embedding.build()
    head = MaskedLMHead(config, embedding)
    hidden = random.normal(0, 2, (2, 5, WIDTH)).astype("float32")
    positions = np.array([[4, 1], [0, 3]], "int32")
    head.build(hidden.shape, positions.shape)
    variables = {
        "table": embedding.embeddings if tied else head.output_projection,
        "kernel": head.dense.kernel,
        "bias": head.dense.bias,
        "gamma": head.norm.gamma,
        "beta": head.norm.beta,
        "output": head.output_bias,
    }
    weights = {name: random.normal(0, 0.3, v.shape) for name, v in variables.items()}
    for name, variable in variables.items():
        variable.assign(weights[name])
    x = np.take_along_axis(hidden.astype("float64"), positions[:, :, None], axis=1)
    x = x @ weights["kernel"] + weights["bias"]
    assert np.abs(x).max() > 2.5  # where the approximation by tanh is off by most
    x = x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2
    x -= x.mean(axis=-1, keepdims=True)
    x /= np.sqrt((x**2).mean(axis=-1, keepdims=True) + config.layer_norm_epsilon)
    x = x * weights["gamma"] + weights["beta"]
    expected = x @ weights["table"].T + weights["output"]
    np.testing.assert_allclose(head(hidden, positions), expected, atol=2e-5)
    chosen = np.take_along_axis(hidden, positions[:, :, None], axis=1)
    np.testing.assert_allclose(head(chosen), expected, atol=2e-5)


def test_a_head_of_another_width_is_saved_with_its_settings(config):
    head = ClassificationHead(config, num_classes=3, dropout=0.25, hidden_dim=7)
    again = ClassificationHead.from_config(head.get_config())
    for each in (head, again):
        each.build((None, None, WIDTH))
        assert each.dense.kernel.shape == (WIDTH, 7) and each.logits.kernel.shape == (7, 3)
        assert each.dropout.rate == 0.25
    of_tokens = TokenClassificationHead(config, num_classes=5)
    again = TokenClassificationHead.from_config(of_tokens.get_config())
    assert again(np.zeros((1, 4, WIDTH), "float32")).shape == (1, 4, 5)


@pytest.mark.parametrize("cls", [ClassificationHead, TokenClassificationHead])
def test_logits_of_half_precision_models_are_float32(config, cls):
    head = cls(config, num_classes=WIDTH, dtype="mixed_bfloat16")
    hidden = np.full((2, 3, WIDTH), 1.0, "float32")
    head.build(hidden.shape)
    head.logits.kernel.assign(np.zeros((WIDTH, WIDTH)))
    head.logits.bias.assign(np.full(WIDTH, 1.001))  # which bfloat16 has not
    logits = head(hidden)
    assert logits.dtype == "float32"
    np.testing.assert_array_equal(logits, np.full(logits.shape, np.float32(1.001)))
