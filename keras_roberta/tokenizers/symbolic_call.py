"""A tokenizer called inside a graph: `dataset.map(tokenizer)`, or in a `tf.function`."""

from __future__ import annotations

import sys
from typing import Any

from keras_roberta.errors import InputError


def is_symbolic(texts: Any) -> bool:
    """Whether these are a tensor of a graph, which has no values yet. Imports nothing."""
    tf = sys.modules.get("tensorflow")
    return tf is not None and tf.is_tensor(texts) and tf.is_symbolic_tensor(texts)


def ids_in_graph(tokenizer, texts, text_pair, max_length, add_special_tokens, options):
    """The ids that the host gives for the same texts.

    By the tokenizer's form for graphs; a kind without one runs on the host from inside the graph,
    which works where the graph runs in this process, as in tf.data.

    Args:
        texts, text_pair: tf.string, a scalar or (batch,).
        max_length, add_special_tokens: as on the host.
        options: must be empty.

    Returns:
        int32 (length,) for a scalar, else a ragged tensor (batch, None).
    """
    import tensorflow as tf

    if options:
        raise InputError(
            f"{next(iter(options))}: inside a graph a tokenizer gives ids alone; map the task's "
            "preprocessor, or pad what the tokenizer gives with .to_tensor()"
        )
    if texts.dtype != tf.string or texts.shape.rank not in (0, 1):
        raise InputError(f"texts: expected strings, one or a row; found {texts.dtype.name} of the "
                         f"shape {texts.shape}")  # fmt: skip
    if text_pair is not None and text_pair.shape.rank != texts.shape.rank:
        raise InputError("text_pair: give one string for one text, a row for a row")
    one = texts.shape.rank == 0
    sides = [tf.reshape(side, [-1]) for side in (texts, text_pair) if side is not None]
    if tokenizer.graph is not None and add_special_tokens:
        outputs = tokenizer.graph(*sides, max_length=max_length)
        lengths = tf.reduce_sum(outputs["padding_mask"], axis=1)
        ids = tf.RaggedTensor.from_tensor(outputs["token_ids"], lengths)
    elif tokenizer.graph is not None and max_length is None:
        ids = tf.concat([tokenizer.graph.tokenize(side) for side in sides], axis=1)
    else:
        ids = _on_the_host(tokenizer, sides, max_length, add_special_tokens)
    return ids[0] if one else ids


def _on_the_host(tokenizer, sides, max_length, add_special_tokens):
    import tensorflow as tf

    def encode(*sides):
        pairs = sides[1] if len(sides) == 2 else None
        return tokenizer.encode_ragged(sides[0], pairs, max_length, add_special_tokens)

    values, lengths = tf.numpy_function(encode, sides, [tf.int32, tf.int64])
    values, lengths = tf.ensure_shape(values, [None]), tf.ensure_shape(lengths, sides[0].shape)
    return tf.RaggedTensor.from_row_lengths(values, lengths, validate=False)
