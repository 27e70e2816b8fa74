"""Sample texts as a file is calibrated on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.export.arguments import check_sides
from keras_roberta.export.calibration import Samples
from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.rows_of_texts import rows_of_texts
from keras_roberta.export.signature_names import ENCODE
from keras_roberta.options import OptionError
from keras_roberta.schemas import Schema
from keras_roberta.tokenizers.protocol import Tokenizer

# More rows change little about what is calibrated, and each is computed without XNNPACK.
MOST_SAMPLES = 1000


def samples_of_texts(
    asked: Any,
    schema: Schema,
    tokenizer: Tokenizer | None,
    *,
    lengths: Sequence[int],
    pad_token_id: int,
    inputs: str,
    pairs: bool,
) -> Samples:
    """The rows of texts, each in the shortest signature that holds it. Of very many some are taken.

    Args:
        asked: texts, in a form that the task's `predict` takes.
        schema, tokenizer: of the task.
        lengths: of the file's signatures, ascending.
        pad_token_id: fills them up.
        inputs, pairs: what the file takes, see `to_tflite`.

    Raises:
        InputError: there is no tokenizer, or the texts are none that the file takes.
    """
    if tokenizer is None:
        raise OptionError("calibration", ": the task has no preprocessor to tokenize the texts")
    texts, text_pairs = check_sides(schema, schema.texts_of(asked), inputs, pairs)
    texts, text_pairs = _some(texts), None if text_pairs is None else _some(text_pairs)
    try:
        rows = rows_of_texts(schema, tokenizer, texts, text_pairs, lengths[-1])
    except InputError as error:
        raise OptionError("calibration", f": {error}") from None

    def samples():
        for row in _some(rows):
            length = next(length for length in lengths if len(row) <= length)
            yield f"{ENCODE}_{length}", as_features([row], pad_token_id, length)

    return samples


def _some(items):
    """At most `MOST_SAMPLES` items in their order, chosen at random, but the same of lists of equal
    length. Every n-th could always be the same option of a question."""
    if len(items) <= MOST_SAMPLES:
        return items
    taken = np.random.default_rng(0).choice(len(items), MOST_SAMPLES, replace=False)
    return [items[i] for i in np.sort(taken)]
