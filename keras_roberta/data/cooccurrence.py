"""What counting says of tokens before any training: vectors from the company that they keep.

A table of embeddings that starts there knows from the first step which tokens are alike. Masked
language modelling needs much text to find that out: most of what it is rewarded for is grammar.
"""

import numpy as np
import scipy.sparse
from sklearn.utils.extmath import randomized_svd

from keras_roberta.errors import InputError

_SMOOTHING = 0.75
_CHUNK = 1_000_000  # tokens counted at once


def token_vectors(documents, vocabulary_size, dim, *, window=10, seed=0):
    """Vectors of tokens, alike where they stand beside the same tokens.

    The first `dim` singular values S of `positive_information` and their left vectors U give
    U S^(1/2), of which each row is brought to unit length (Levy, Goldberg & Dagan 2015, sections
    3.3 and 4.2).

    Args:
        documents: iterable of integer arrays (tokens,).
        vocabulary_size: ids are below it.
        dim: numbers a vector.
        window: tokens to each side that count as company.
        seed: of the decomposition, and of the vectors of tokens without company, which are random.

    Returns:
        float32 (vocabulary_size, dim)

    Raises:
        InputError: the vocabulary is not larger than `dim`.
    """
    if vocabulary_size <= dim:
        raise InputError(
            f"a vocabulary of {vocabulary_size} tokens has no vectors of {dim} numbers from "
            "counts; take a larger vocabulary or random embeddings"
        )
    counts = cooccurrences(documents, vocabulary_size, window)
    left, values, _ = randomized_svd(positive_information(counts), dim, n_iter=5, random_state=seed)
    vectors = left * np.sqrt(values)  # (vocabulary_size, dim)
    alone = np.linalg.norm(vectors, axis=1) < 1e-6
    vectors[alone] = np.random.default_rng(seed).normal(size=(alone.sum(), dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def cooccurrences(documents, vocabulary_size, window):
    """How often two tokens of a document are at most `window` apart.

    Returns:
        symmetric `scipy.sparse.csr_array` (vocabulary_size, vocabulary_size)

    >>> cooccurrences([np.array([0, 1, 2]), np.array([2, 0])], 3, window=1).toarray().tolist()
    [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    """
    shape = (vocabulary_size, vocabulary_size)
    counts = scipy.sparse.csr_array(shape, dtype=np.int64)
    for token_ids in _chunks(documents, window):
        for distance in range(1, window + 1):
            first, second = token_ids[:-distance], token_ids[distance:]
            inside = (first >= 0) & (second >= 0)
            places = first[inside], second[inside]
            counts += scipy.sparse.csr_array((np.ones(inside.sum(), np.int64), places), shape)
    return counts + counts.T


def positive_information(counts):
    """max(0, log(p(a, b) / (p(a) p'(b)))) of the pairs in a table of `cooccurrences`.

    p' is p to the power of 0.75, made to sum to 1, without which rare tokens tell too much (Levy,
    Goldberg & Dagan 2015, section 3.2).

    Returns:
        `scipy.sparse.csr_array` of float32, of the shape of `counts`
    """
    counts = counts.tocoo()
    (first, second), size = counts.coords, counts.shape[0]
    of_first = np.bincount(first, counts.data, size)
    smoothed = of_first**_SMOOTHING  # the table is symmetric
    smoothed /= max(smoothed.sum(), 1.0)
    information = np.log(counts.data / (of_first[first] * smoothed[second]))
    above = information > 0
    values = information[above].astype(np.float32)
    return scipy.sparse.csr_array((values, (first[above], second[above])), counts.shape)


def _chunks(documents, window):
    """int32 arrays of documents in a line, with `window` times -1 behind each."""
    gap = np.full(window, -1, np.int32)
    parts, length = [], 0
    for token_ids in documents:
        parts += [np.asarray(token_ids, np.int32), gap]
        length += len(token_ids)
        if length >= _CHUNK:
            yield np.concatenate(parts)
            parts, length = [], 0
    if parts:
        yield np.concatenate(parts)
