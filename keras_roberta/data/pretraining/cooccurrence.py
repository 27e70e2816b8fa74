"""Initial token embeddings from co-occurrence counts.

Tokens that occur beside the same tokens get similar vectors. With these as initial embeddings, a
model starts with similar vectors for similar tokens. Masked language modelling needs much text to
learn them, since most of its loss depends on grammar.
"""

from collections.abc import Iterable

import numpy as np
import scipy.sparse

from keras_roberta.errors import InputError

_SMOOTHING = 0.75
_SQUARE_LENGTH = 2.0
_CHUNK = 1_000_000  # tokens counted at once; a longer document is one chunk


def token_vectors(
    documents: Iterable[np.ndarray],
    vocabulary_size: int,
    dim: int,
    *,
    window: int = 10,
    seed: int = 0,
) -> np.ndarray:
    """Token vectors: tokens that occur beside the same tokens get similar vectors.

    The vectors are U S^(1/2), where S are the first `dim` singular values of
    `positive_information` and U their left singular vectors (Levy, Goldberg & Dagan 2015, sections
    2.2 and 3.3). They are not normalised, since their lengths are useful: a token that occurs
    beside any other token has a short vector. But all are scaled by one factor to a mean square
    length of 2. So the products with normalised hidden states, which are the logits of masked
    language modelling, are about 1 at the start for any `dim`. And the vectors are long enough not
    to be lost in the first steps of training.

    Args:
        documents: integer arrays (tokens,) of token ids.
        vocabulary_size: number of tokens; ids are below it.
        dim: size of a vector.
        window: largest distance in tokens at which two tokens co-occur.
        seed: seed of the decomposition, and of the random vectors of tokens that do not co-occur
            with any other.

    Returns:
        float32 (vocabulary_size, dim)

    Raises:
        InputError: the vocabulary is not larger than `dim`.
    """
    from sklearn.utils.extmath import randomized_svd  # takes a second to import

    check_vectors(vocabulary_size, dim)
    information = positive_information(cooccurrences(documents, vocabulary_size, window))
    left, values, _ = randomized_svd(information, dim, n_iter=5, random_state=seed)
    vectors = left * np.sqrt(values)  # (vocabulary_size, dim)
    # For a token without co-occurrences, the decomposition gives only rounding errors.
    lengths = np.linalg.norm(vectors, axis=1)
    alone = (np.diff(information.indptr) == 0) | (lengths <= 1e-5 * lengths.max())
    if not alone.all():
        vectors[~alone] *= np.sqrt(_SQUARE_LENGTH / np.mean(lengths[~alone] ** 2))
    random = np.random.default_rng(seed).normal(size=(alone.sum(), dim))
    vectors[alone] = random * np.sqrt(_SQUARE_LENGTH / dim)
    return vectors.astype(np.float32)


def check_vectors(vocabulary_size: int, dim: int) -> None:
    """Raises an InputError unless `token_vectors` works for this vocabulary size and `dim`."""
    if vocabulary_size <= dim:
        raise InputError(
            f"a vocabulary of {vocabulary_size} tokens has no vectors of {dim} numbers from "
            "counts; take a larger vocabulary or random embeddings"
        )


def cooccurrences(
    documents: Iterable[np.ndarray], vocabulary_size: int, window: int
) -> scipy.sparse.csr_array:
    """Counts how often two tokens occur in a document at a distance of at most `window`.

    Args:
        documents: integer arrays (tokens,) of token ids.
        vocabulary_size: number of tokens; ids are below it.
        window: largest distance in tokens.

    Returns:
        symmetric `scipy.sparse.csr_array` (vocabulary_size, vocabulary_size)

    >>> cooccurrences([np.array([0, 1, 2]), np.array([2, 0])], 3, window=1).toarray().tolist()
    [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    """
    shape = (vocabulary_size, vocabulary_size)
    counts = scipy.sparse.csr_array(shape, dtype=np.int64)
    for token_ids in _chunks(documents, window):
        pairs = [(token_ids[:-d], token_ids[d:]) for d in range(1, window + 1)]
        first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
        inside = (first >= 0) & (second >= 0)
        places = first[inside], second[inside]
        counts += scipy.sparse.csr_array((np.ones(inside.sum(), np.int64), places), shape)
    return counts + counts.T


def positive_information(counts: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """The positive pointwise mutual information of each pair of tokens.

        max(0, log(p(a, b) / (p(a) p'(b))))

    where p' is p to the power of 0.75, scaled to the sum 1. With p instead, the values of rare
    tokens would be too large (Levy, Goldberg & Dagan 2015, sections 2.1 and 3.2).

    Args:
        counts: table of `cooccurrences`.

    Returns:
        `scipy.sparse.csr_array` of float32, of the shape of `counts`
    """
    totals = counts.sum(axis=1)
    smoothed = totals**_SMOOTHING  # the table is symmetric
    smoothed /= max(smoothed.sum(), 1.0)
    information = counts.astype(np.float32)
    information.data /= np.repeat(totals, np.diff(counts.indptr)) * smoothed[counts.indices]
    np.log(information.data, out=information.data)
    np.maximum(information.data, 0, out=information.data)
    information.eliminate_zeros()
    return information


def _chunks(documents, window):
    """Joins documents into int32 arrays (tokens,), with `window` entries of -1 behind each."""
    gap = np.full(window, -1, np.int32)
    parts, length = [], 0
    for token_ids in documents:
        parts += [np.asarray(token_ids, np.int32), gap]
        length += len(token_ids) + window
        if length >= _CHUNK:
            yield np.concatenate(parts)
            parts, length = [], 0
    if parts:
        yield np.concatenate(parts)
