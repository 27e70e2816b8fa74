"""Dropout's mask: its share, its independence of place and seed, its gradient."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.layers.dropout import RobertaDropout, _keys, dropout

RATE = 0.1
COUNT = 1 << 18


def kept(seed, counter, rate=RATE, count=COUNT):
    y = np.asarray(dropout(tf.ones(count), rate, tf.constant([seed, counter], "int64")))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1) * np.float32(1 / (1 - rate))}
    return y > 0


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_the_share_is_the_rate(rate):
    for seed, counter in ((0, 0), (1, 0), (0, 1), (2**31 - 2, 77)):
        bound = 5 * math.sqrt(rate * (1 - rate) / COUNT)
        assert np.mean(~kept(seed, counter, rate)) == pytest.approx(rate, abs=bound)


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1] * math.sqrt(len(a))  # in standard deviations


def test_places_are_independent():
    mask = kept(3, 5)
    for apart in (1, 2, 3, 64, 128, 512, 1024, 65_536):
        assert abs(correlation(mask[apart:], mask[:-apart])) < 5
    # The number dropped among 64 neighbours spreads as that of independent draws.
    counts = (~mask).reshape(-1, 64).sum(1)
    assert np.var(counts) == pytest.approx(64 * RATE * (1 - RATE), rel=0.12)


def test_seeds_are_independent():
    seeds = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (5, 0), (1_000_003, 0), (1_000_003, 1)]
    masks = [kept(*seed) for seed in seeds]
    for i, a in enumerate(masks):
        for b in masks[:i]:
            assert abs(correlation(a, b)) < 5
            # Nor one in another order: neighbours by any power of two.
            for swapped in (1, 2, 256, 4096):
                order = np.arange(COUNT) ^ swapped
                assert abs(correlation(a[order], b)) < 5


def test_seeds_of_neighbouring_keys_are_independent():
    """The first key is XORed with the place, so one near another puts the places in another order:
    the second key has to undo that."""
    keys = np.array([first_key(0, counter) for counter in range(4096)])
    order = np.argsort(keys)
    neighbours = zip(order[:-1], order[1:], strict=True)
    pairs = [(a, b) for a, b in neighbours if keys[a] ^ keys[b] < COUNT]
    assert len(pairs) > 20
    for a, b in pairs[:20]:
        places = np.arange(COUNT) ^ (keys[a] ^ keys[b])
        assert abs(correlation(kept(0, a)[places], kept(0, b))) < 5


def first_key(*seed):
    return int(_keys(tf.constant(seed, "int64"))[0])


def test_no_lag_stands_out():
    for seed in ((3, 5), (77, 1000), (123_456_789, 0)):
        values = kept(*seed) - (1 - RATE)
        spectrum = np.abs(np.fft.rfft(values, 2 * COUNT)) ** 2
        lags = np.fft.irfft(spectrum)[1 : COUNT - 1000]
        pairs = COUNT - 1 - np.arange(len(lags))
        deviations = np.abs(lags) / (RATE * (1 - RATE) * np.sqrt(pairs))
        assert deviations.max() < 6  # of 260,000 independent ones, 5 are usual


@pytest.mark.parametrize(
    "how",
    [{}, dict(jit_compile=True), dict(input_signature=[tf.TensorSpec((None, 5, None))] * 2)],
    ids=["graph", "jit", "dynamic"],
)
@pytest.mark.parametrize("with_residual", [False, True])
def test_the_gradient_has_the_same_mask(how, with_residual):
    random = np.random.default_rng(0)
    x, residual, upstream = (tf.constant(random.normal(size=(3, 5, 7)), tf.float32) for _ in "xru")
    seed = tf.constant([3, 8], "int64")

    @tf.function(**how)
    def run(x, residual):
        with tf.GradientTape() as tape:
            tape.watch([x, residual])
            y = dropout(x, 0.3, seed, residual if with_residual else None)
        return y, tape.gradient(y, [x, residual], upstream)

    y, (d_x, d_residual) = run(x, residual)
    values = np.asarray(y - residual if with_residual else y)
    mask = np.where(np.abs(values) < 1e-6, 0, np.float32(1 / 0.7))
    if "input_signature" not in how:
        np.testing.assert_allclose(mask, dropout(tf.ones_like(x), 0.3, seed))
    assert 0 < np.mean(mask == 0) < 1
    expected = x * mask + residual if with_residual else x * mask
    np.testing.assert_allclose(y, expected, atol=1e-6)
    np.testing.assert_allclose(d_x, upstream * mask, atol=1e-6)
    if with_residual:
        np.testing.assert_array_equal(d_residual, upstream)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_layer(dtype):
    layer = RobertaDropout(0.5, seed=3, dtype=dtype)
    x = tf.ones((64, 64), dtype)
    assert layer(x) is x
    np.testing.assert_array_equal(layer(x, residual=x), x + x)
    first, second = layer(x, training=True), layer(x, training=True)
    assert first.dtype == dtype
    assert set(np.unique(first)) == {0, 2}
    assert not np.array_equal(first, second)
    again = RobertaDropout.from_config(layer.get_config())
    np.testing.assert_array_equal(again(x, training=True), first)
    np.testing.assert_array_equal(RobertaDropout(0.0)(x, training=True), x)
    with pytest.raises(InputError, match="1.0"):
        RobertaDropout(1.0)
