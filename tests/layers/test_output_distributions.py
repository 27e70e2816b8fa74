"""Entropy and divergence of what outputs say, beside the formulas in float64."""

import numpy as np
import pytest

from keras_roberta.layers.output_distributions import Bernoulli, Categorical, Normal

RANDOM = np.random.default_rng(0)
ONE, OTHER = (RANDOM.normal(0, 2, (3, 4, 2)) for _ in range(2))


def softmax(logits, axis):
    exponentials = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def entropy(p, axis):
    return -(p * np.log(p)).sum(axis=axis)


def divergence(p, q, axis):
    """KL(p || q) and KL(q || p), the mean of both."""
    of_p, of_q = (p * np.log(p / q)).sum(axis=axis), (q * np.log(q / p)).sum(axis=axis)
    return (of_p + of_q) / 2


def test_classes_of_tokens():
    p, q = softmax(ONE, -1), softmax(OTHER, -1)
    found = Categorical().entropy(ONE)
    assert found.shape == (3, 4)
    np.testing.assert_allclose(found, entropy(p, -1), atol=1e-5)
    np.testing.assert_allclose(
        Categorical().divergence(ONE, OTHER), divergence(p, q, -1), rtol=1e-4, atol=1e-5
    )


def test_places_in_a_row():
    """Two choices a row, each among its tokens: the mean of both."""
    p, q = softmax(ONE, 1), softmax(OTHER, 1)
    places = Categorical(axis=1)
    np.testing.assert_allclose(places.entropy(ONE), entropy(p, 1).mean(-1), atol=1e-5)
    expected = divergence(p, q, 1).mean(-1)
    np.testing.assert_allclose(places.divergence(ONE, OTHER), expected, rtol=1e-4, atol=1e-5)


def test_decisions():
    one, other = ONE[..., 0], OTHER[..., 0]
    p, q = (1 / (1 + np.exp(-x)) for x in (one, other))
    p, q = (np.stack([x, 1 - x], axis=-1) for x in (p, q))
    np.testing.assert_allclose(Bernoulli().entropy(one), entropy(p, -1).mean(-1), atol=1e-5)
    expected = divergence(p, q, -1).mean(-1)
    np.testing.assert_allclose(Bernoulli().divergence(one, other), expected, rtol=1e-4, atol=1e-5)
    probable = Bernoulli(from_logits=False)
    np.testing.assert_allclose(probable.entropy(p[..., 0]), entropy(p, -1).mean(-1), atol=1e-5)


def test_probabilities():
    p, q = softmax(ONE, -1), softmax(OTHER, -1)
    probable = Categorical(from_logits=False)
    np.testing.assert_allclose(probable.entropy(p), entropy(p, -1), atol=1e-5)
    np.testing.assert_allclose(
        probable.divergence(p, q), divergence(p, q, -1), rtol=1e-3, atol=1e-4
    )


def test_numbers():
    one, other = np.array([[1.0], [-2.0]]), np.array([[4.0], [-2.0]])
    np.testing.assert_allclose(Normal().divergence(one, other), [4.5, 0.0])
    assert not hasattr(Normal(), "entropy")


@pytest.mark.parametrize("missing", [-1e9, -1e4])
def test_what_is_not_there_counts_for_nothing(missing):
    """As options of a question that has fewer, and tokens of padding."""
    longer = [np.concatenate([x[:, 0], np.full((3, 2), missing)], axis=1) for x in (ONE, OTHER)]
    p, q = softmax(ONE[:, 0], -1), softmax(OTHER[:, 0], -1)
    np.testing.assert_allclose(Categorical().entropy(longer[0]), entropy(p, -1), atol=1e-5)
    np.testing.assert_allclose(
        Categorical().divergence(*longer), divergence(p, q, -1), rtol=1e-4, atol=1e-5
    )
