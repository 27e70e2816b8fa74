"""Which signatures a `.tflite` file should have for texts of given lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.export.arguments import SHORTEST
from keras_roberta.options import OptionError

# XNNPACK computes products some rows at a time; other lengths cost as much as the next of these.
MULTIPLE = 8


def best_lengths(task: Any, texts: Any, number: int = 3) -> tuple[int, ...]:
    """The lengths at which texts like these take the least time on average.

    Each text runs in the shortest signature that holds it. Of all sets of `number` lengths this is
    the one with the least mean work, as `encoder_work` counts it, found by dynamic programming.

    Args:
        task: a task with a preprocessor.
        texts: the texts that the file will see, or some hundreds like them, in a form that the
            task's `predict` takes.
        number: how many lengths at most.

    Returns:
        the lengths in tokens, ascending, for `to_tflite(sequence_lengths=...)`. The last one holds
        the longest text, as far as the preprocessor's `sequence_length` goes.

    Raises:
        InputError: there are no texts, the task takes none, or `number` is no positive number.
    """
    if type(number) is not int or number < 1:
        raise OptionError("number", f": expected a whole number of at least 1; got {number!r}")
    if getattr(task.preprocessor, "tokenizer", None) is None:
        raise InputError("the task has no tokenizer to count the tokens of texts with")
    counts = task.make_examples(texts).token_ids.lengths
    config = task.backbone.config
    longest = min(config.max_sequence_length, task.preprocessor.sequence_length)
    return lengths_of_least_work(counts, number, longest, config)


def lengths_of_least_work(counts, number, longest, config) -> tuple[int, ...]:
    """`best_lengths` for rows of so many tokens.

    Args:
        counts: tokens of each row, int (rows,).
        number: how many lengths at most.
        longest: no length is above; rows that are longer are cut.
        config: a `RobertaConfig`.
    """
    rounded = np.maximum(-(-np.asarray(counts) // MULTIPLE) * MULTIPLE, SHORTEST)
    lengths, rows = np.unique(np.minimum(rounded, longest), return_counts=True)
    work = np.array([encoder_work(int(length), config) for length in lengths])
    rows_until = np.concatenate([[0], np.cumsum(rows)])
    # least[j]: of the rows up to the j-th length, if that is the last signature.
    least = work * rows_until[1:]
    chosen = [[j] for j in range(len(lengths))]
    for _ in range(min(number, len(lengths)) - 1):
        before, chosen_before = least.copy(), list(chosen)
        for j in range(1, len(lengths)):
            totals = before[:j] + work[j] * (rows_until[j + 1] - rows_until[1 : j + 1])
            i = int(totals.argmin())
            if totals[i] < least[j]:
                least[j], chosen[j] = totals[i], [*chosen_before[i], j]
    return tuple(int(lengths[j]) for j in chosen[-1])


def encoder_work(length: int, config: Any) -> float:
    """Multiplications of the encoder for one text of so many tokens.

    In each layer the four projections of attention and the two of the feed-forward part, which
    grow with the length, and the two products of attention, which grow with its square.
    """
    projections = 4 * config.hidden_dim**2 + 2 * config.hidden_dim * config.intermediate_dim
    return config.num_layers * (length * projections + 2 * length**2 * config.hidden_dim)
