"""Vectors of tokens by the company they keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_roberta.data.pretraining import cooccurrence
from keras_roberta.data.pretraining.cooccurrence import (
    cooccurrences,
    positive_information,
    token_vectors,
)
from keras_roberta.errors import InputError

SIZE = 6


def counted_slowly(documents, window):
    counts = np.zeros((SIZE, SIZE), int)
    for document in documents:
        for i, first in enumerate(document):
            for second in document[i + 1 : i + 1 + window]:
                counts[first, second] += 1
                counts[second, first] += 1
    return counts


@settings(deadline=None, max_examples=50)
@given(
    documents=st.lists(st.lists(st.integers(0, SIZE - 1), max_size=12), max_size=8),
    window=st.integers(1, 5),
    chunk=st.integers(1, 20),
)
def test_pairs_are_counted_within_their_document(documents, window, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cooccurrence, "_CHUNK", chunk)
        found = cooccurrences((np.array(d, np.uint16) for d in documents), SIZE, window)
    np.testing.assert_array_equal(found.toarray(), counted_slowly(documents, window))


def test_information_is_that_of_the_formula():
    counts = counted_slowly([[0, 1, 2, 1], [3, 3, 0], [1, 2]], window=2)
    p = counts / counts.sum()
    smoothed = p.sum(1) ** 0.75 / (p.sum(1) ** 0.75).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.nan_to_num(np.log(p / (p.sum(1)[:, None] * smoothed)), neginf=0)
    documents = [np.array(d) for d in ([0, 1, 2, 1], [3, 3, 0], [1, 2])]
    found = positive_information(cooccurrences(documents, SIZE, 2)).toarray()
    np.testing.assert_allclose(found, np.maximum(expected, 0), rtol=1e-6)


def grammar(count=400):
    """Documents of words 0..3 between words 4..7, or of words 8..11 between words 12..15."""
    random = np.random.default_rng(0)
    for _ in range(count):
        first = random.choice([0, 8])
        pairs = [first + random.integers(4), first + 4 + random.integers(4)]
        yield np.array(pairs + [first + random.integers(4)] + pairs[::-1])


def test_tokens_of_the_same_company_are_alike():
    vectors = token_vectors(grammar(), 20, 8, window=1)
    assert vectors.shape == (20, 8) and vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.mean(lengths[:16] ** 2) == pytest.approx(2, rel=1e-5)
    alike = (vectors / lengths)[:16] @ (vectors / lengths)[:16].T
    for group in range(0, 16, 4):
        same = alike[group : group + 4, group : group + 4]
        others = np.delete(alike[group : group + 4], np.s_[group : group + 4], axis=1)
        assert same.min() > others.max()


def test_products_of_vectors_are_those_of_the_decomposition():
    """U S U^T of the largest singular values, by NumPy, but for one factor."""
    vectors = token_vectors(grammar(), 20, 8, window=1)[:16].astype("float64")
    information = positive_information(cooccurrences(grammar(), 20, 1)).toarray()
    left, values, _ = np.linalg.svd(information)
    expected = (left[:, :8] * values[:8]) @ left[:, :8].T
    expected = expected[:16, :16] * 2 / np.diag(expected)[:16].mean()
    np.testing.assert_allclose(vectors @ vectors.T, expected, atol=1e-3)


def test_tokens_count_up_to_a_distance_of_ten():
    random = np.random.default_rng(0)
    documents = [random.integers(0, 20, 30) for _ in range(50)]
    found = token_vectors(documents, 20, 8)
    np.testing.assert_array_equal(found, token_vectors(documents, 20, 8, window=10))
    for window in (9, 11):
        assert not np.allclose(found, token_vectors(documents, 20, 8, window=window), atol=1e-3)


def test_the_same_documents_and_seed_give_the_same_vectors():
    first, again, other = (token_vectors(grammar(), 20, 8, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[16:] - other[16:]).max() > 0.1  # never seen: random
    assert len(np.unique(first[16:].round(4), axis=0)) == 4


def test_tokens_without_company_are_random_however_small_their_rounding_errors():
    size, dim = 3000, 64
    random = np.random.default_rng(0)
    documents = [random.zipf(1.3, 200) % (size - 8) + 4 for _ in range(300)]  # none of 0..3
    vectors = token_vectors(documents, size, dim)
    unseen = np.setdiff1d(np.arange(size), np.concatenate(documents))
    assert unseen[:4].tolist() == [0, 1, 2, 3] and len(unseen) > 4
    others = np.random.default_rng(0).normal(size=(len(unseen), dim)) * np.sqrt(2 / dim)
    np.testing.assert_allclose(vectors[unseen], others, rtol=1e-5)


def test_what_tells_more_is_longer():
    # Token 0 stands beside all others alike.
    documents = [np.insert(document, 2, 0) for document in (d + 1 for d in grammar())]
    lengths = np.linalg.norm(token_vectors(documents, 20, 8, window=2), axis=1)
    assert lengths[0] < lengths[1:17].min()


def test_nothing_to_count_and_too_few_tokens():
    vectors = token_vectors([], 20, 8)
    assert np.mean(vectors**2) * 8 == pytest.approx(2, rel=0.2)
    with pytest.raises(InputError, match="vocabulary of 20 tokens has no vectors of 20 numbers"):
        token_vectors(grammar(), 20, 20)
