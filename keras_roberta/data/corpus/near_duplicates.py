"""Near-duplicate documents, by MinHash and locality-sensitive hashing (Broder 1997; Leskovec et al.
2014, section 3.4), on five successive tokens.

The rule, with documents in the order of their keys: a document goes if it is like an earlier one
that stays. It needs no order of work: `like_pairs` finds pairs within each band, wherever that is
looked at, and `dropped` goes by all of them.
"""

import numpy as np
import rensa

NUM_HASHES = 128
NUM_BANDS = 16  # of 8 hashes: documents that are like by 0.8 share one in 95 of 100 cases
_SHINGLE = 5  # tokens
# Of the documents that share a band each is compared with so many of the first, so that the work
# for thousands of copies of a page does not go with their square.
_COMPARED = 8


def signatures(documents):
    """MinHash signatures of `EncodedDocument`s: uint32 (documents, 128)."""
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
    # Not across the end of a document; one that is shorter than a shingle is its first one's.
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


def band_keys(signatures, band):
    """uint64 (documents,), for one of the 16 bands: documents that share it may be alike."""
    size = NUM_HASHES // NUM_BANDS
    keys = np.full(len(signatures), band, np.uint64)
    with np.errstate(over="ignore"):
        for i in range(band * size, (band + 1) * size):
            keys = (keys ^ signatures[:, i]) * np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
    return keys


def likeness(first, second):
    """The estimated Jaccard similarity of documents: the share of equal hashes, row by row."""
    return (first == second).mean(axis=-1)


def repeated(shared, keys, numbers):
    """Which documents equal another, but for the one with the smallest number.

    Args:
        shared: (n,) what equal documents share; others may share it too.
        keys: uint64 (n, 2) documents' keys.
        numbers: (n,) their places in the corpus.

    Returns:
        places in [0, n), int64.
    """
    order = np.lexsort((numbers, keys[:, 1], keys[:, 0], shared))
    return order[1:][_equals_the_one_before(order, shared, keys)]


def like_pairs(shared, keys, numbers, likeness, threshold):
    """Pairs of like documents among those that share a band. Of equal ones the first is looked at.

    Args:
        shared: (n,) the key of the band.
        keys, numbers: as for `repeated`.
        likeness: function of two arrays of places in [0, n).
        threshold: pairs at least this much alike are found.

    Returns:
        places of the earlier and of the later document of each pair, by the documents' keys.
    """
    order = np.lexsort((numbers, keys[:, 1], keys[:, 0], shared))
    order = order[~np.append(False, _equals_the_one_before(order, shared, keys))]
    if not len(order):
        return order, order
    starts_band = np.append(True, shared[order][1:] != shared[order][:-1])
    first = np.flatnonzero(starts_band)[np.cumsum(starts_band) - 1]  # of each one's band
    rank = np.arange(len(order)) - first  # in its band
    earlier, later = [], []
    for i in range(min(_COMPARED, int(rank.max()))):
        behind = np.flatnonzero(rank > i)
        one, other = order[first[behind] + i], order[behind]
        alike = likeness(one, other) >= threshold
        earlier.append(one[alike])
        later.append(other[alike])
    empty = order[:0]
    return np.concatenate([empty, *earlier]), np.concatenate([empty, *later])


def dropped(earlier, later):
    """The documents that go: those that are like an earlier one that stays.

    Args:
        earlier, later: int64 (pairs,), whatever numbers the documents have.

    Returns:
        their numbers, sorted.

    >>> a, b, c = 10, 20, 30  # a is like b, and b like c
    >>> dropped(np.array([a, b]), np.array([b, c]))
    array([20])
    """
    found = [later[:0]]
    while len(later):
        # What is later than no document is sure to stay.
        found.append(np.unique(later[~np.isin(earlier, later)]))
        open_ = ~np.isin(earlier, found[-1]) & ~np.isin(later, found[-1])
        earlier, later = earlier[open_], later[open_]
    return np.sort(np.concatenate(found))


def _equals_the_one_before(order, shared, keys):
    """bool (n - 1,), of documents in order."""
    same_key = (keys[order][1:] == keys[order][:-1]).all(axis=1)
    return same_key & (shared[order][1:] == shared[order][:-1])
