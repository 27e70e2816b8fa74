"""Pooling and the losses of vectors, by their formulas in numpy."""

import keras
import numpy as np
import pytest

from keras_roberta.layers.pooling import TextPooling
from keras_roberta.layers.similarity_losses import (
    CoSENTLoss,
    CosineLoss,
    InBatchNegativesLoss,
    SimilarityLoss,
)

SCALE = 20.0


def random_vectors(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def cosine(a, b):
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_pooling(dtype):
    hidden = random_vectors(3, 4, 5)
    mask = np.array([[1, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 0]])
    mean = TextPooling("mean", normalize=False, dtype=dtype)(hidden, mask)
    assert keras.backend.standardize_dtype(mean.dtype) == "float32"
    expected = [hidden[0].mean(0), hidden[1, 1:3].mean(0), np.zeros(5)]
    np.testing.assert_allclose(mean, expected, atol=1e-6)
    first = TextPooling("cls", normalize=False, dtype=dtype)(hidden, mask)
    np.testing.assert_allclose(first, hidden[:, 0], atol=1e-6)
    units = np.asarray(TextPooling("mean", dtype=dtype)(hidden, mask))
    lengths = np.linalg.norm(expected[:2], axis=1, keepdims=True)
    np.testing.assert_allclose(units, [*(np.array(expected[:2]) / lengths), np.zeros(5)], atol=1e-6)


def ranking_by_hand(vectors, numbers):
    """The cross-entropies, with candidates left out one by one."""
    losses = []
    for i, own in enumerate(numbers):
        total = right = np.exp(SCALE * cosine(vectors[i][0], vectors[i][1]))
        for j, other in enumerate(numbers):
            for place in range(1, len(other)):
                if (i, 1) == (j, place) or other[place] in own[:2]:
                    continue
                if place == 1 and other[0] == own[0]:
                    continue
                total += np.exp(SCALE * cosine(vectors[i][0], vectors[j][place]))
        losses.append(-np.log(right / total))
    return losses


@pytest.mark.parametrize(
    "numbers",
    [
        [[0, 1], [2, 3], [4, 5]],
        [[0, 1], [2, 1], [0, 5]],  # the same second, the same first
        [[0, 1, 6], [2, 3, 1], [4, 5, 4]],  # a negative that is a second, or its own first
        [[0, 1, 6, 7], [2, 3, 8, 9]],
        [[0, 1]],  # no other candidate
    ],
)
def test_in_batch_negatives(numbers):
    table = random_vectors(10, 6)
    vectors = table[np.array(numbers)]
    loss = InBatchNegativesLoss(SCALE)
    flat = vectors.reshape(-1, 6) * 3  # lengths do not matter
    found = loss.call(np.array(numbers, "float32"), flat)
    np.testing.assert_allclose(found, ranking_by_hand(vectors, numbers), atol=1e-4)
    mean = SimilarityLoss(SCALE)(np.array(numbers), flat)
    assert float(mean) == pytest.approx(np.mean(ranking_by_hand(vectors, numbers)), abs=1e-4)


def test_cosines_of_scored_pairs():
    vectors, scores = random_vectors(4, 2, 6), np.array([1.0, 0.5, 0.0, -1.0], "float32")
    expected = [(cosine(a, b) - score) ** 2 for (a, b), score in zip(vectors, scores, strict=True)]
    for loss in (CosineLoss(), SimilarityLoss()):
        np.testing.assert_allclose(loss.call(scores, vectors.reshape(-1, 6)), expected, atol=1e-5)
    wider = CosineLoss((1, 5)).call(1 + 4 * scores, vectors.reshape(-1, 6))
    np.testing.assert_allclose(wider, expected, atol=1e-5)
    weighted = CosineLoss()(scores, vectors.reshape(-1, 6), np.array([1, 0, 0, 0]))
    assert float(weighted) == pytest.approx(expected[0] / 4, abs=1e-5)


def test_cosent():
    vectors, scores = random_vectors(4, 2, 6), np.array([3.0, 1.0, 1.0, 5.0], "float32")
    cosines = [cosine(a, b) for a, b in vectors]
    terms = [
        np.exp(SCALE * (cosines[i] - cosines[j]))
        for i in range(4) for j in range(4) if scores[i] < scores[j]
    ]  # fmt: skip
    found = CoSENTLoss(SCALE)(scores, vectors.reshape(-1, 6))
    assert len(terms) == 5 and float(found) == pytest.approx(np.log(1 + sum(terms)), rel=1e-4)


@pytest.mark.parametrize("cls", [InBatchNegativesLoss, CoSENTLoss, SimilarityLoss, CosineLoss])
def test_losses_are_saved(cls):
    loss = cls(score_range=(1, 5)) if cls is CosineLoss else cls(scale=7.0)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is cls and again.get_config() == loss.get_config()
