"""Near-duplicate documents, by MinHash and locality-sensitive hashing (Broder 1997; Leskovec et al.
2014, section 3.4), on five successive tokens.

The rule needs no order of work: of the documents that share a band, all that are like the first of
them, by their keys, are dropped.
"""

import numpy as np
import rensa

NUM_HASHES = 128
NUM_BANDS = 16  # of 8 hashes: documents that are like by 0.8 share one in 95 of 100 cases
_SHINGLE = 5  # tokens


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


def duplicates(shared, keys, numbers, likeness, threshold):
    """Which of some documents are to go.

    Args:
        shared: (n,) what only documents that may be alike share: a band's key, or the document's.
        keys: uint64 (n, 2) documents' keys.
        numbers: (n,) their places in the corpus, by which equal ones are told apart.
        likeness: function of two arrays of places in [0, n), or None: only equal ones go.

    Returns:
        places of exact and of near duplicates, int64.
    """
    order = np.lexsort((numbers, keys[:, 1], keys[:, 0], shared))
    is_first = np.append(True, shared[order][1:] != shared[order][:-1])
    first = order[np.flatnonzero(is_first)[np.cumsum(is_first) - 1]][~is_first]
    other = order[~is_first]
    equal = (keys[first] == keys[other]).all(axis=1)
    exact, first, other = other[equal], first[~equal], other[~equal]
    if likeness is None:
        return exact, other[:0]
    return exact, other[likeness(first, other) >= threshold]
