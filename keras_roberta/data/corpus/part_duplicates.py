"""Which documents of a corpus's parts are to go, as equal to another or nearly so."""

import numpy as np

from keras_roberta.data.corpus import near_duplicates
from keras_roberta.data.corpus.encoded_parts import Part
from keras_roberta.files.atomic_write import atomic_file

_DOCUMENTS_AT_A_TIME = 1 << 22  # compared with each other


def mark_duplicates(directories, threshold):
    """Writes `dropped.npy` into each part: bool (documents,).

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
    exact, near = np.zeros(offsets[-1], bool), np.zeros(offsets[-1], bool)
    ranges = -(-int(offsets[-1]) // _DOCUMENTS_AT_A_TIME)
    bands = near_duplicates.NUM_BANDS if threshold else 0

    def columns(band):
        for table, part_hashes in zip(tables, hashes, strict=True):
            if band is None:
                yield table["key"][:, 1].astype(np.uint64)
            else:
                yield near_duplicates.band_keys(part_hashes, band)

    for band in (None, *range(bands)):
        for number in range(ranges):
            keys, places = [], []
            for offset, column in zip(offsets, columns(band), strict=False):
                those = np.flatnonzero(column % np.uint64(ranges) == number)
                keys.append(column[those])
                places.append(those + offset)
            keys, places = np.concatenate(keys), np.concatenate(places)
            table = _gather(tables, offsets, places)

            def likeness(first, other, places=places):
                return near_duplicates.likeness(
                    _gather(hashes, offsets, places[first]), _gather(hashes, offsets, places[other])
                )

            same, alike = near_duplicates.duplicates(
                keys,
                table["key"],
                table["number"],
                likeness if band is not None else None,
                threshold,
            )
            exact[places[same]] = near[places[alike]] = True
    for directory, begin, end in zip(directories, offsets, offsets[1:], strict=False):
        with atomic_file(directory / "dropped.npy") as temporary:
            np.save(temporary, (exact | near)[begin:end])
    return {
        "exact_duplicates": int(exact.sum()),
        "near_duplicates": int((near & ~exact).sum()),
    }


def _gather(arrays, offsets, places):
    """Rows of several arrays as if they were one."""
    out = np.empty((len(places), *arrays[0].shape[1:]), arrays[0].dtype)
    number = np.searchsorted(offsets, places, side="right") - 1
    for i in np.unique(number):
        here = number == i
        out[here] = arrays[i][places[here] - offsets[i]]
    return out
