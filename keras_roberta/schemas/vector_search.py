"""Cosines of vectors, and the nearest ones of many, in numpy alone.

Products are computed block by block: they need no more memory where there are more vectors.
"""

from __future__ import annotations

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.options import OptionError

_QUERIES, _CORPUS = 1024, 8192  # of a block; its product has 32 MB


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., size) as float32 of the length 1; those of zeros stay as they are."""
    vectors = np.asarray(vectors, "float32")
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cosine of each vector of `a` with each of `b`: float32 (rows of a, rows of b).

    >>> cosines(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 1.0]]))
    array([[1., 0.]], dtype=float32)
    """
    return unit_vectors(a) @ unit_vectors(b).T


def pair_cosines(pairs: np.ndarray) -> np.ndarray:
    """The cosine of the first two vectors of each group.

    Args:
        pairs: float (groups, k, size)

    Returns:
        float64 (groups,)
    """
    units = unit_vectors(pairs[:, :2])
    return np.einsum("nd,nd->n", units[:, 0], units[:, 1], dtype="float64")


def nearest(
    queries: np.ndarray, corpus: np.ndarray, top_k: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of a corpus with the largest cosines, for each query.

    Args:
        queries: float (queries, size)
        corpus: float (texts, size); may be a `numpy.memmap`.
        top_k: how many; all of a smaller corpus.

    Returns:
        scores, float32, and indices, int64, each (queries, top_k), the nearest first; of equal
        scores the smaller index first.

    Raises:
        InputError: there are no vectors, their sizes differ, or `top_k` is no positive number.

    >>> scores, indices = nearest(np.eye(2), np.array([[1.0, 1.0], [0.0, 2.0]]), top_k=1)
    >>> indices[:, 0]
    array([0, 1])
    """
    if type(top_k) is not int or top_k < 1:
        raise OptionError("top_k", f": expected a whole number of at least 1; got {top_k!r}")
    queries, corpus = np.asarray(queries), np.asanyarray(corpus)
    for name, vectors in (("queries", queries), ("corpus", corpus)):
        if vectors.ndim != 2 or not len(vectors):
            raise InputError(f"{name}: expected vectors (texts, size); got {vectors.shape}")
    if queries.shape[1] != corpus.shape[1]:
        raise InputError(
            f"the queries have {queries.shape[1]} numbers each, and the corpus "
            f"{corpus.shape[1]}; they are not of one model"
        )
    top_k = min(top_k, len(corpus))
    scores = np.full((len(queries), 0), -np.inf, "float32")
    indices = np.zeros((len(queries), 0), np.int64)
    queries = unit_vectors(queries)
    for start in range(0, len(corpus), _CORPUS):
        block = unit_vectors(corpus[start : start + _CORPUS])
        found = [_best_of_block(queries[i : i + _QUERIES], block, top_k, start)
                 for i in range(0, len(queries), _QUERIES)]  # fmt: skip
        new_scores, new_indices = (np.concatenate(parts) for parts in zip(*found, strict=True))
        scores = np.concatenate([scores, new_scores], axis=1)
        indices = np.concatenate([indices, new_indices], axis=1)
        # Stable, and older blocks stand in front: of equal scores the smaller index stays.
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        scores = np.take_along_axis(scores, order, axis=1)
        indices = np.take_along_axis(indices, order, axis=1)
    return scores, indices


def _best_of_block(queries, block, top_k, start):
    """Scores and indices (queries, top_k or fewer) of one block of the corpus, sorted."""
    products = queries @ block.T
    top_k = min(top_k, len(block))
    best = np.argpartition(-products, top_k - 1, axis=1)[:, :top_k]  # without sorting all
    # Of several that are equal to the last one it takes any: there the row is sorted whole.
    last = np.take_along_axis(products, best, axis=1).min(axis=1, keepdims=True)
    for row in np.flatnonzero((products >= last).sum(axis=1) > top_k):
        best[row] = np.argsort(-products[row], kind="stable")[:top_k]
    best.sort(axis=1)  # so that of equal scores the smaller index comes first
    scores = np.take_along_axis(products, best, axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(best, order, 1) + start


def ranks_of_seconds(vectors: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The rank of the right text among all, from 1: int64 (groups,).

    The candidates for the first text of each group are the second and later texts of all groups,
    each once, without the first text itself. Right are the second of the group, and the seconds of
    groups with the same first text; the best of them counts. Other candidates that are as near as
    it, and those whose cosine is not a number, stand before it, so that a model that gives the same
    vector to all texts does not pass for a good one.

    Args:
        vectors: float (groups, k, size), of the texts of each group.
        numbers: int (groups, k), of the texts, the same for the same text.
    """
    numbers = np.asarray(numbers, np.int64)
    firsts, candidates = numbers[:, 0], np.unique(numbers[:, 1:])
    places = np.zeros(numbers.max() + 1, np.int64)
    places[numbers[:, 1:]] = np.searchsorted(candidates, numbers[:, 1:])
    of_candidates = np.empty((len(candidates), vectors.shape[-1]), "float32")
    of_candidates[places[numbers[:, 1:]]] = unit_vectors(vectors[:, 1:])
    right: dict[int, list[int]] = {}
    for first, second in numbers[:, :2].tolist():
        right.setdefault(first, []).append(int(places[second]))
    itself = {number: place for place, number in enumerate(candidates.tolist())}
    units = unit_vectors(vectors[:, 0])
    ranks = np.empty(len(numbers), np.int64)
    size = max(1, _QUERIES * _CORPUS // len(candidates))
    for start in range(0, len(numbers), size):
        products = units[start : start + size] @ of_candidates.T
        for row, first in enumerate(firsts[start : start + size].tolist()):
            best = products[row, right[first]].max()
            above = ~(products[row] < best)
            above[right[first]] = False
            if first in itself:
                above[itself[first]] = False
            ranks[start + row] = 1 + int(above.sum())
    return ranks
