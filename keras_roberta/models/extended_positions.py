"""Position tables for longer sequences than a model was trained on."""

import numpy as np
from numpy.typing import ArrayLike

from keras_roberta.errors import InputError

EXTENSIONS = ("copy", "interpolate")


def extended_positions(
    table: ArrayLike, max_sequence_length: int, reserved: int, how: str = "copy"
) -> np.ndarray:
    """A position table with more rows.

    "copy" repeats the positions, beginning again with the first (Beltagy et al., 2020, section 5).
    Texts that were short enough before give the same output. "interpolate" stretches the table:
    each new row is a mean of two neighbouring old ones. All outputs change, so the model has to be
    trained again.

    >>> extended_positions([[9.0], [1.0], [3.0]], 4, reserved=1)[:, 0]
    array([9., 1., 3., 1., 3.])
    >>> extended_positions([[9.0], [1.0], [3.0]], 3, reserved=1, how="interpolate")[:, 0]
    array([9., 1., 2., 3.])

    Args:
        table: (reserved + positions, hidden_dim)
        max_sequence_length: the number of positions wanted; at least the present number.
        reserved: rows at the beginning that are no positions: `pad_token_id + 1`.
        how: "copy" or "interpolate".

    Returns:
        array (reserved + max_sequence_length, hidden_dim)

    Raises:
        InputError: an argument does not fit.
    """
    table = np.asarray(table)
    start, positions = table[:reserved], table[reserved:]
    known = len(positions)
    check_extension(known, max_sequence_length, how)
    if how == "copy":
        rows = positions[np.arange(max_sequence_length) % known]
    else:
        place = np.linspace(0, known - 1, max_sequence_length)
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, known - 1)
        share = (place - below)[:, None].astype(table.dtype)
        rows = positions[below] * (1 - share) + positions[above] * share
    return np.concatenate([start, rows])


def check_extension(known: int, max_sequence_length: int, how: str) -> None:
    """Raises an InputError if so many positions cannot be made of those that are known."""
    if how not in EXTENSIONS:
        raise InputError(f"extend_positions must be one of {EXTENSIONS}; got {how!r}")
    if max_sequence_length < known:
        raise InputError(
            f"max_sequence_length={max_sequence_length}: the model has {known} positions, and none "
            f"are taken away; give {known} or more"
        )
