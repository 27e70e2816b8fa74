"""A model's weights in one with another number of tokens."""

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


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Gives a model the weights of another that differs in the size of its vocabulary alone.

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
        else:
            new.assign(resized_rows(keras.ops.convert_to_numpy(old), new.shape[0]))
