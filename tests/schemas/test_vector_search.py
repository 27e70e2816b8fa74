"""Cosines and the nearest vectors against the products written out, whatever the blocks."""

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from keras_roberta.errors import InputError
from keras_roberta.schemas import vector_search
from keras_roberta.schemas.vector_search import cosines, nearest, pair_cosines, ranks_of_seconds


def random_vectors(rows, size=5, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, size))


def by_hand(a, b):
    return [[x @ y / np.sqrt((x @ x) * (y @ y)) for y in b] for x in a]


def test_cosines():
    a, b = random_vectors(3), random_vectors(4, seed=1)
    np.testing.assert_allclose(cosines(a, b), by_hand(a, b), atol=1e-6)
    assert cosines(a, b).dtype == "float32"
    pairs = np.stack([a, b[:3], b[1:]], axis=1)  # the third is not read
    np.testing.assert_allclose(pair_cosines(pairs), np.diag(by_hand(a, b[:3])), atol=1e-6)


def test_a_vector_of_zeros_is_like_none():
    assert cosines(np.zeros((1, 3)), np.ones((1, 3))).tolist() == [[0.0]]


@settings(max_examples=60, deadline=None)
@given(
    queries=st.integers(1, 9), corpus=st.integers(1, 30), top_k=st.integers(1, 12),
    blocks=st.tuples(st.integers(1, 4), st.integers(1, 7)), seed=st.integers(0, 1000),
)  # fmt: skip
def test_nearest_are_those_of_the_whole_product(queries, corpus, top_k, blocks, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_search, "_QUERIES", blocks[0])
        patch.setattr(vector_search, "_CORPUS", blocks[1])
        a, b = random_vectors(queries, seed=seed), random_vectors(corpus, seed=seed + 1)
        scores, indices = nearest(a, b, top_k)
    expected = np.array(by_hand(a, b))
    order = np.argsort(-expected, axis=1)[:, :top_k]
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(scores, np.take_along_axis(expected, order, 1), atol=1e-5)


def test_equal_scores_come_in_the_order_of_the_corpus(monkeypatch):
    monkeypatch.setattr(vector_search, "_CORPUS", 3)
    corpus = np.eye(2)[[0, 1, 0, 1, 0, 0]]
    _, indices = nearest(np.eye(2), corpus, 3)
    assert indices.tolist() == [[0, 2, 4], [1, 3, 0]]


def test_the_smaller_index_stays_where_equal_ones_are_cut_off():
    corpus = np.eye(2)[np.arange(40) % 7 % 2]
    for top_k in (1, 2, 5, 11):
        _, indices = nearest(np.eye(2), corpus, top_k)
        for row in (0, 1):
            assert indices[row].tolist() == np.flatnonzero(corpus[:, row])[:top_k].tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((2, 3)), np.ones((2, 4))), "the queries have 3 numbers each, and the corpus 4"),
        ((np.ones(3), np.ones((2, 3))), "queries: expected vectors"),
        ((np.ones((2, 3)), np.ones((0, 3))), "corpus: expected vectors"),
        ((np.ones((2, 3)), np.ones((2, 3)), 0), "top_k"),
        ((np.ones((2, 3)), np.ones((2, 3)), 2.5), "top_k"),
    ],
)
def test_what_cannot_be_searched(arguments, message):
    with pytest.raises(InputError, match=message):
        nearest(*arguments)


def ranks_by_hand(vectors, numbers):
    of_text = {n: v for row, ns in zip(vectors, numbers, strict=True) for v, n in
               zip(row, ns, strict=True)}  # fmt: skip
    candidates = {n for row in numbers for n in row[1:]}
    ranks = []
    for first in (row[0] for row in numbers):
        right = {row[1] for row in numbers if row[0] == first}
        score = {n: by_hand([of_text[first]], [of_text[n]])[0][0] for n in candidates}
        best = max(score[n] for n in right)
        ranks.append(1 + sum(score[n] > best + 1e-9 for n in candidates - {first}))
    return ranks


@pytest.mark.parametrize("value", [np.nan, 0.0, 1.0])
def test_a_model_that_gives_one_vector_to_all_texts_finds_nothing(value):
    ranks = ranks_of_seconds(np.full((4, 2, 3), value), np.arange(8).reshape(4, 2))
    assert ranks.tolist() == [4] * 4


def test_a_vector_that_is_not_a_number_is_no_hit():
    vectors = np.eye(4)[[[0, 0], [1, 1], [2, 2]]]
    vectors[1, 1] = np.nan
    assert ranks_of_seconds(vectors, np.arange(6).reshape(3, 2)).tolist() == [2, 3, 2]


@settings(max_examples=60, deadline=None)
@given(
    numbers=arrays.arrays(
        "int32", st.tuples(st.integers(1, 8), st.integers(2, 4)), elements=st.integers(0, 9)
    ),
    seed=st.integers(0, 1000),
)
def test_ranks(numbers, seed):
    """Texts that stand in several groups count once."""
    table = random_vectors(10, seed=seed)
    numbers = np.unique(numbers, return_inverse=True)[1].reshape(numbers.shape)
    vectors = table[numbers]
    numbers = [row for row in numbers.tolist()]
    if any(row[0] == row[1] for row in numbers):
        return  # a text that is paired with itself has rank 1 or is left out; either will do
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_search, "_QUERIES", 1 + seed % 3)
        patch.setattr(vector_search, "_CORPUS", 1 + seed % 5)
        found = ranks_of_seconds(vectors, np.array(numbers))
    assert found.tolist() == ranks_by_hand(vectors, numbers)
