"""Which documents of a corpus's parts are to go, as equal to another or nearly so."""

import numpy as np

from keras_roberta.data.corpus import near_duplicates
from keras_roberta.data.corpus.encoded_parts import Part
from keras_roberta.files.atomic_write import atomic_file

_DOCUMENTS_AT_A_TIME = 1 << 22  # compared with each other


def mark_duplicates(directories, threshold):
    """Writes `dropped.npy` into each part: bool (documents,).

    A pair of like documents is held as one number of 8 bytes, once for each band that they share:
    of a document at most 16 bands times the 8 that it is compared with there, 1 KiB.

    Args:
        directories: of the parts.
        threshold: likeness from which documents are near duplicates; 0 drops equal ones alone.

    Returns:
        dict of how many are dropped: `exact_duplicates`, `near_duplicates`.
    """
    parts = [Part(directory) for directory in directories]
    tables = [part.array("documents") for part in parts]
    hashes = [part.array("signatures") for part in parts]
    offsets = np.cumsum([0, *map(len, tables)])
    exact = np.zeros(offsets[-1], bool)
    ranges = -(-int(offsets[-1]) // _DOCUMENTS_AT_A_TIME)
    count = max(1, int(offsets[-1]))  # a pair is earlier * count + later: below 2^63 to 3e9
    pairs = [np.zeros(0, np.int64)]
    for band in (None, *range(near_duplicates.NUM_BANDS if threshold else 0)):
        for shared, places in _ranges_of(band, tables, hashes, offsets, ranges):
            table = _gather(tables, offsets, places)
            if band is None:
                same = near_duplicates.repeated(shared, table["key"], table["number"])
                exact[places[same]] = True
                continue

            def likeness(first, other, places=places):
                return near_duplicates.likeness(
                    _gather(hashes, offsets, places[first]), _gather(hashes, offsets, places[other])
                )

            found = near_duplicates.like_pairs(
                shared, table["key"], table["number"], likeness, threshold
            )
            earlier, later = (places[those] for those in found)
            pairs.append(earlier * count + later)
    near = np.zeros(offsets[-1], bool)
    # Like documents share several bands.
    near[near_duplicates.dropped(*np.divmod(np.unique(np.concatenate(pairs)), count))] = True
    for directory, begin, end in zip(directories, offsets, offsets[1:], strict=False):
        with atomic_file(directory / "dropped.npy") as temporary:
            np.save(temporary, (exact | near)[begin:end])
    return {
        "exact_duplicates": int(exact.sum()),
        "near_duplicates": int(near.sum()),
    }


def _ranges_of(band, tables, hashes, offsets, count):
    """(what documents may share, their places) in `count` ranges of what is shared."""

    def columns():
        for table, part_hashes in zip(tables, hashes, strict=True):
            if band is None:
                yield table["key"][:, 1].astype(np.uint64)
            else:
                yield near_duplicates.band_keys(part_hashes, band)

    for number in range(count):
        shared, places = [], []
        for offset, column in zip(offsets, columns(), strict=False):
            those = np.flatnonzero(column % np.uint64(count) == number)
            shared.append(column[those])
            places.append(those + offset)
        yield np.concatenate(shared), np.concatenate(places)


def _gather(arrays, offsets, places):
    """Rows of several arrays as if they were one."""
    out = np.empty((len(places), *arrays[0].shape[1:]), arrays[0].dtype)
    number = np.searchsorted(offsets, places, side="right") - 1
    for i in np.unique(number):
        here = number == i
        out[here] = arrays[i][places[here] - offsets[i]]
    return out
