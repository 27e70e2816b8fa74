"""Finds near-duplicate documents with MinHash and locality-sensitive hashing.

The method is that of Broder (1997) and Leskovec et al. (2014, section 3.4), applied to sequences of
five tokens. Documents are ordered by their keys. The rule is: a document is removed if it is like
an earlier document that is kept. The work can be done in any order: `like_pairs` finds the pairs of
each band separately, and `dropped` applies the rule to all pairs.
"""

from collections.abc import Callable, Sequence

import numpy as np
import rensa

from keras_roberta.data.corpus.shards import EncodedDocument

NUM_HASHES = 128
NUM_BANDS = 16  # of 8 hashes; documents with a similarity of 0.8 share a band in 95% of all cases
_SHINGLE = 5  # tokens
# In each band, a document is compared with at most this many of the first documents. Otherwise the
# work for thousands of copies of a page would grow with the square of their number.
_COMPARED = 8


def signatures(documents: Sequence[EncodedDocument]) -> np.ndarray:
    """The MinHash signatures of documents: uint32 (documents, 128)."""
    lengths = np.array([len(document.token_ids) for document in documents], np.int64)
    tokens = np.concatenate([document.token_ids for document in documents]).astype(np.uint64)
    ends = np.cumsum(lengths)
    with np.errstate(over="ignore"):  # modulo 2^64
        shingles = np.zeros(len(tokens), np.uint64)
        for offset in range(_SHINGLE):
            shifted = np.zeros_like(tokens)
            shifted[: len(tokens) - offset] = tokens[offset:] + np.uint64(1)
            shingles = shingles * np.uint64(0x9E3779B97F4A7C15) + shifted
        shingles ^= shingles >> np.uint64(32)
        shingles *= np.uint64(0xBF58476D1CE4E5B9)
    # No shingle goes beyond the end of its document. A document that is shorter than a shingle gets
    # a hash from its key.
    counts = np.maximum(lengths - _SHINGLE + 1, 1)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    places = np.arange(offsets[-1]) + np.repeat(ends - lengths - offsets[:-1], counts)
    short = np.flatnonzero(lengths < _SHINGLE)
    chosen = shingles[places]
    for i in short:
        key = documents[i].key
        chosen[offsets[i]] = np.frombuffer(key, np.uint64)[0]
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        chosen, offsets.astype(np.uint64), num_perm=NUM_HASHES, seed=1
    )
    return np.array(matrix.to_rows(), np.uint32).reshape(len(documents), NUM_HASHES)


def band_keys(signatures: np.ndarray, band: int) -> np.ndarray:
    """The key of each document in a band: documents with equal keys may be near-duplicates.

    Args:
        signatures: uint32 (documents, 128).
        band: number of the band, in [0, 16).

    Returns:
        uint64 (documents,)
    """
    size = NUM_HASHES // NUM_BANDS
    keys = np.full(len(signatures), band, np.uint64)
    with np.errstate(over="ignore"):
        for i in range(band * size, (band + 1) * size):
            keys = (keys ^ signatures[:, i]) * np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
    return keys


def likeness(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The estimated Jaccard similarity of pairs of documents: the share of equal hashes.

    Args:
        first: uint32 (pairs, 128), signatures.
        second: uint32 (pairs, 128), signatures.

    Returns:
        float64 (pairs,) in [0, 1]
    """
    return (first == second).mean(axis=-1)


def repeated(shared: np.ndarray, keys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The exact duplicates: of equal documents, all but the one with the smallest number.

    Args:
        shared: (n,), a value that equal documents share. Other documents may share it, too.
        keys: uint64 (n, 2), the documents' keys.
        numbers: (n,), their positions in the corpus.

    Returns:
        int64 (duplicates,), indices in [0, n)
    """
    order = np.lexsort((numbers, keys[:, 1], keys[:, 0], shared))
    return order[1:][_equals_the_one_before(order, shared, keys)]


def like_pairs(
    shared: np.ndarray,
    keys: np.ndarray,
    numbers: np.ndarray,
    likeness: Callable[[np.ndarray, np.ndarray], np.ndarray],
    threshold: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of similar documents within a band. Of equal documents only the first is used.

    Args:
        shared: (n,), the documents' keys in this band.
        keys: uint64 (n, 2), the documents' own keys.
        numbers: (n,), their positions in the corpus.
        likeness: function from two arrays of indices in [0, n) to the similarity of each pair.
        threshold: smallest similarity of a pair, in [0, 1].

    Returns:
        earlier: int64 (pairs,), index of each pair's first document, in the order of the keys.
        later: int64 (pairs,), index of each pair's second document.
    """
    order = np.lexsort((numbers, keys[:, 1], keys[:, 0], shared))
    order = order[~np.append(False, _equals_the_one_before(order, shared, keys))]
    if not len(order):
        return order, order
    starts_band = np.append(True, shared[order][1:] != shared[order][:-1])
    first = np.flatnonzero(starts_band)[np.cumsum(starts_band) - 1]  # of each document's band
    rank = np.arange(len(order)) - first  # within its band
    earlier, later = [], []
    for i in range(min(_COMPARED, int(rank.max()))):
        behind = np.flatnonzero(rank > i)
        one, other = order[first[behind] + i], order[behind]
        alike = likeness(one, other) >= threshold
        earlier.append(one[alike])
        later.append(other[alike])
    empty = order[:0]
    return np.concatenate([empty, *earlier]), np.concatenate([empty, *later])


def dropped(earlier: np.ndarray, later: np.ndarray) -> np.ndarray:
    """The documents to remove: those that are like an earlier document that is kept.

    Args:
        earlier: int64 (pairs,), the number of the first document of each pair.
        later: int64 (pairs,), the number of the second document of each pair.

    Returns:
        int64 (removed,), their numbers, sorted

    >>> a, b, c = 10, 20, 30  # a is like b, and b like c
    >>> dropped(np.array([a, b]), np.array([b, c]))
    array([20])
    """
    found = [later[:0]]
    while len(later):
        # A document that is not the later one of any pair is kept.
        found.append(np.unique(later[~np.isin(earlier, later)]))
        open_ = ~np.isin(earlier, found[-1]) & ~np.isin(later, found[-1])
        earlier, later = earlier[open_], later[open_]
    return np.sort(np.concatenate(found))


def _equals_the_one_before(order, shared, keys):
    """Whether each document, from the second in order, equals the one before: bool (n - 1,)."""
    same_key = (keys[order][1:] == keys[order][:-1]).all(axis=1)
    return same_key & (shared[order][1:] == shared[order][:-1])
