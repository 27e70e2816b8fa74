"""A model's weights in one with another number of tokens."""

from collections.abc import Sequence

import keras
import numpy as np

from keras_roberta.errors import InputError

_SPREAD = 0.01  # of new rows around the mean, as a share of that of the old rows


def resized_rows(table: np.ndarray, rows: int) -> np.ndarray:
    """A table with more or fewer rows.

    New rows are the mean of the others, so that a new token is as likely at first as a middling
    one (Hewitt, 2021, "Initializing New Word Embeddings"), with a little noise to tell them apart.

    >>> resized_rows(np.array([1.0, 3.0]), 3).round(0)
    array([1., 3., 2.])

    Args:
        table: float (old rows, ...)
        rows: wanted.
    """
    if rows <= len(table):
        return table[:rows]
    mean, spread = table.mean(axis=0), table.std(axis=0)
    noise = np.random.default_rng(0).normal(size=(rows - len(table), *table.shape[1:]))
    return np.concatenate([table, mean + noise * spread * _SPREAD]).astype(table.dtype)


def checked_rows(rows: Sequence[int], vocabulary_size: int) -> np.ndarray:
    """The old row of each new one, int64 (new rows,).

    Raises:
        InputError: there are none, or as many as before in another order, or one is not there.
    """
    rows = np.asarray(rows)
    if rows.ndim != 1 or not rows.size or not np.issubdtype(rows.dtype, np.integer):
        raise InputError(
            f"rows: expected whole numbers, the old row of each new one; got {rows!r:.60}"
        )
    if rows.min() < 0 or rows.max() >= vocabulary_size:
        wrong = rows.min() if rows.min() < 0 else rows.max()
        raise InputError(f"rows: {wrong} is no row of a table of {vocabulary_size}")
    if len(rows) == vocabulary_size and (rows != np.arange(len(rows))).any():
        raise InputError(f"rows: give fewer than the model has, {vocabulary_size}")
    return rows.astype(np.int64)


def copy_weights(
    source: keras.Model, target: keras.Model, rows: Sequence[int] | None = None
) -> None:
    """Gives a model the weights of another that differs in the size of its vocabulary alone.

    Args:
        rows: the old row of each new one; None for the first ones, see `resized_rows`.

    Raises:
        InputError: the other has weights that a new model has not, as of adapters.
    """
    if len(source.weights) != len(target.weights):
        raise InputError(
            "the vocabulary cannot be resized: the model has adapters or quantized weights; resize "
            "it before enable_lora or quantize"
        )
    for old, new in zip(source.weights, target.weights, strict=True):
        if old.shape == new.shape:
            new.assign(old)
            continue
        table = keras.ops.convert_to_numpy(old)
        new.assign(resized_rows(table, new.shape[0]) if rows is None else table[np.asarray(rows)])


def special_tokens(config, rows) -> dict[str, int]:
    """The fields of a config that are ids, by the old row of each new one.

    Raises:
        InputError: a special token's row is missing, or the padding's moved.
    """
    ids = {}
    for name in ("start_token_id", "pad_token_id", "end_token_id"):
        found = np.flatnonzero(rows == getattr(config, name))
        if not len(found):
            raise InputError(f"rows: they lack {name}, {getattr(config, name)}; add it")
        ids[name] = int(found[0])
    if ids["pad_token_id"] != config.pad_token_id:
        raise InputError(
            f"rows: pad_token_id {config.pad_token_id} must stay where it is, since positions are "
            "counted from it"
        )
    return ids
