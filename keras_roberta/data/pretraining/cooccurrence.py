"""What counting says of tokens before any training: vectors from the company that they keep.

A table of embeddings that starts there knows from the first step which tokens are alike. Masked
language modelling needs much text to find that out: most of what it is rewarded for is grammar.
"""

import numpy as np
import scipy.sparse

from keras_roberta.errors import InputError

_SMOOTHING = 0.75
_SQUARE_LENGTH = 2.0
_CHUNK = 1_000_000  # tokens counted at once, or one document


def token_vectors(documents, vocabulary_size, dim, *, window=10, seed=0):
    """Vectors of tokens, alike where they stand beside the same tokens.

    The first `dim` singular values S of `positive_information` and their left vectors U give
    U S^(1/2) (Levy, Goldberg & Dagan 2015, sections 2.2 and 3.3). Their lengths are left as they
    are, since they say how much a token tells: one that stands beside any other is short. All are
    scaled to a mean square length of 2: products with normed hidden states, the logits of masked
    language modelling, start at the size of 1 whatever `dim` is, and training does not soon wash
    over them.

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
    from sklearn.utils.extmath import randomized_svd  # takes a second to import

    check_vectors(vocabulary_size, dim)
    information = positive_information(cooccurrences(documents, vocabulary_size, window))
    left, values, _ = randomized_svd(information, dim, n_iter=5, random_state=seed)
    vectors = left * np.sqrt(values)  # (vocabulary_size, dim)
    # What the decomposition leaves of a token without company is a rounding error.
    lengths = np.linalg.norm(vectors, axis=1)
    alone = (np.diff(information.indptr) == 0) | (lengths <= 1e-5 * lengths.max())
    if not alone.all():
        vectors[~alone] *= np.sqrt(_SQUARE_LENGTH / np.mean(lengths[~alone] ** 2))
    random = np.random.default_rng(seed).normal(size=(alone.sum(), dim))
    vectors[alone] = random * np.sqrt(_SQUARE_LENGTH / dim)
    return vectors.astype(np.float32)


def check_vectors(vocabulary_size, dim):
    """Raises an `InputError` unless so many tokens have `token_vectors` of so many numbers."""
    if vocabulary_size <= dim:
        raise InputError(
            f"a vocabulary of {vocabulary_size} tokens has no vectors of {dim} numbers from "
            "counts; take a larger vocabulary or random embeddings"
        )


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
        pairs = [(token_ids[:-d], token_ids[d:]) for d in range(1, window + 1)]
        first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
        inside = (first >= 0) & (second >= 0)
        places = first[inside], second[inside]
        counts += scipy.sparse.csr_array((np.ones(inside.sum(), np.int64), places), shape)
    return counts + counts.T


def positive_information(counts):
    """max(0, log(p(a, b) / (p(a) p'(b)))) of the pairs in a table of `cooccurrences`.

    p' is p to the power of 0.75, made to sum to 1, without which rare tokens tell too much (Levy,
    Goldberg & Dagan 2015, sections 2.1 and 3.2).

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
    """int32 arrays of documents in a line, with `window` times -1 behind each."""
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
