"""Token ids held against a model before it sees them; in numpy alone.

A row of the embedding that is not there stops TensorFlow on a CPU with an error of its own. On a
GPU it counts as zeros, and nobody is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_roberta.data.examples.ragged import Ragged
from keras_roberta.errors import InputError


def check_rows(rows: Ragged, vocabulary_size: int) -> None:
    """Raises an InputError for the first row with an id that no row of the embedding has.

    Args:
        rows: of token ids.
        vocabulary_size: rows of the token embedding.
    """
    unknown = ~((rows.values >= 0) & (rows.values < vocabulary_size))
    if unknown.any():
        place = int(unknown.argmax())
        row = int(np.searchsorted(np.cumsum(rows.lengths), place, side="right"))
        raise _unknown(row, rows.values[place], vocabulary_size)


def check_token_features(
    features: Mapping[str, Any],
    *,
    vocabulary_size: int,
    max_sequence_length: int,
    pad_token_id: int,
    axes: int = 2,
) -> None:
    """Raises an InputError unless an encoder has a place for all tokens of some features.

    Args:
        features: arrays (rows, length), or what makes one; `token_ids`, and `padding_mask` where
            there is padding that its id does not tell.
        vocabulary_size: rows of the token embedding.
        max_sequence_length: the most tokens of a row that have positions.
        pad_token_id: padding, where there is no mask.
        axes: of the features: 3 for (batch, rows, length), where several rows make an example.
    """
    token_ids = np.asarray(features["token_ids"])
    if token_ids.dtype.kind not in "biuf" or token_ids.ndim != axes:
        shape = "(batch, length)" if axes == 2 else "(batch, rows, length)"
        raise InputError(
            f"token_ids must be whole numbers of the shape {shape}; got "
            f"{token_ids.dtype} {token_ids.shape}"
        )
    mask = features.get("padding_mask")
    mask = token_ids != pad_token_id if mask is None else np.asarray(mask)
    if mask.shape != token_ids.shape:
        raise InputError(
            f"padding_mask has the shape {mask.shape}, and token_ids {token_ids.shape}; give one "
            "number for each token"
        )
    token_ids, mask = (array.reshape(-1, array.shape[-1]) for array in (token_ids, mask))
    for row, place in np.argwhere(~((token_ids >= 0) & (token_ids < vocabulary_size)))[:1]:
        raise _unknown(row, token_ids[row, place], vocabulary_size)
    if features.get("segment_ids") is None:  # in each segment positions begin anew
        num_tokens = (mask != 0).sum(axis=1)
        for row in np.flatnonzero(num_tokens > max_sequence_length)[:1]:
            raise InputError(
                f"row {row}: has {num_tokens[row]} tokens, and the model has positions for "
                f"{max_sequence_length}; cut it"
            )


def _unknown(row, token_id, vocabulary_size):
    return InputError(
        f"row {row}: the token id {token_id} is outside 0..{vocabulary_size - 1}, for which the "
        "model has embeddings; where tokens were added to the tokenizer give it to "
        "resize_vocabulary(tokenizer=...)"
    )
