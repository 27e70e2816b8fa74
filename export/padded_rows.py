"""Rows of token ids as batches, and the outputs of batches as one; in numpy alone."""

import numpy as np


def as_features(rows, pad_token_id, length=None):
    """Rows of ids as `token_ids` and `padding_mask`, int32 (rows, length), padding at the end.

    Args:
        length: the longest row's by default.

    >>> as_features([[0, 2], [0, 7, 2]], 1)["token_ids"].tolist()
    [[0, 2, 1], [0, 7, 2]]
    """
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(length or lengths.max()) < lengths[:, None]  # (rows, length)
    token_ids = np.full(mask.shape, pad_token_id, "int32")
    token_ids[mask] = np.concatenate(rows)
    return {"token_ids": token_ids, "padding_mask": mask.astype("int32")}


def in_batches(run, rows, pad_token_id, ragged=()):
    """Outputs of rows of ids, run in batches of rows of like length.

    Args:
        run: function of features, giving named outputs.
        ragged: see `stacked`.
    """
    buckets = {}
    for i, row in enumerate(rows):
        buckets.setdefault(max(len(row) - 1, 15).bit_length(), []).append(i)
    outputs = [
        run(as_features([rows[i] for i in indices], pad_token_id)) for indices in buckets.values()
    ]
    return reordered(stacked(outputs, ragged), np.argsort(np.concatenate(list(buckets.values()))))


def stacked(outputs, ragged=()):
    """The named outputs of several batches as those of one.

    Args:
        outputs: list of dicts of arrays (rows, ...).
        ragged: names of those that become a list of arrays, one a row. All others become one
            array, zeros (or empty strings) behind what is shorter.
    """
    return {
        name: [row for batch in outputs for row in batch[name]]
        if name in ragged
        else _concatenated([batch[name] for batch in outputs])
        for name in outputs[0]
    }


def cut(outputs, ragged, counts):
    """Named outputs, those that are `ragged` without what lies behind the tokens of each row."""
    return outputs | {
        name: [row[:count] for row, count in zip(outputs[name], counts, strict=True)]
        for name in ragged
        if name in outputs
    }


def reordered(outputs, order):
    """Rows of named outputs in another order."""
    return {
        name: [rows[i] for i in order] if isinstance(rows, list) else rows[order]
        for name, rows in outputs.items()
    }


def _concatenated(arrays):
    """Arrays one after the other, padded to the largest on all axes but the first."""
    shape = np.max([array.shape[1:] for array in arrays], axis=0).astype(int)
    empty = "" if arrays[0].dtype == object else 0
    return np.concatenate(
        [
            np.pad(
                array,
                [
                    (0, 0),
                    *((0, most - size) for most, size in zip(shape, array.shape[1:], strict=True)),
                ],
                constant_values=empty,
            )
            for array in arrays
        ]
    )
