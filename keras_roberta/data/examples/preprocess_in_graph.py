"""Texts and labels inside a graph, as in `dataset.map(preprocessor)`, as the model takes them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from keras_roberta.data.examples.label_names import shortened
from keras_roberta.data.examples.named_columns import text_columns


def is_in_graph(x: Any) -> bool:
    """Whether texts, in a form that a preprocessor takes, have no values yet. Imports nothing."""
    tf = sys.modules.get("tensorflow")
    first = next(iter(_sides(x)))
    return tf is not None and tf.is_tensor(first) and tf.is_symbolic_tensor(first)


def features_in_graph(tokenizer, x: Any, sequence_length: int) -> dict[str, Any]:
    """The features of a batch, the same ids as on the host; see `RobertaPreprocessor`.

    Args:
        tokenizer: of any kind.
        x: tf.string, a scalar or (batch,); or two of them, as a tuple or as a dict.
        sequence_length: of every row, so that the rows of a dataset can be put into batches.

    Returns:
        dict of `token_ids` and `padding_mask`, tf.int32 (batch, sequence_length); the batch of a
        scalar has one row.
    """
    import tensorflow as tf

    sides = (tf.reshape(side, [-1]) for side in _sides(x) if side is not None)
    rows = tokenizer(*sides, max_length=sequence_length)  # ragged (batch, None)
    lengths = rows.row_lengths()
    return {
        "token_ids": rows.to_tensor(tokenizer.pad_token_id, shape=[None, sequence_length]),
        "padding_mask": tf.sequence_mask(lengths, sequence_length, tf.int32),
    }


def numbers_in_graph(y: Any, names: tuple[str, ...]) -> Any:
    """Names as class numbers, int32 of the same shape; a name that is none stops the program."""
    import tensorflow as tf

    is_name = tf.equal(y[..., None], tf.constant(names))
    known = tf.reduce_all(tf.reduce_any(is_name, axis=-1))
    check = tf.debugging.Assert(known, ["a label is none of", shortened(names), y])
    with tf.control_dependencies([check]):
        return tf.argmax(tf.cast(is_name, tf.int32), axis=-1, output_type=tf.int32)


def _sides(x):
    """The texts, and the second texts or None, if there is a place for them."""
    if isinstance(x, Mapping):
        return text_columns(x)
    return x if isinstance(x, tuple) and x else (x,)
