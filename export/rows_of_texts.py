"""Texts as the rows of token ids that an exported file of their task computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from keras_roberta.data.examples.windows import Windows, cut_windows
from keras_roberta.export.whole_texts import Tokens
from keras_roberta.schemas import Schema
from keras_roberta.tokenizers.offsets import tokens_in_bytes
from keras_roberta.tokenizers.protocol import Tokenizer
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout


def rows_of_texts(
    schema: Schema,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    text_pairs: Sequence[str] | None,
    max_length: int,
) -> list[np.ndarray]:
    """Rows of token ids, special tokens included, int32 (tokens,) each.

    A text that is too long is cut; where the task reads windows, it has several rows.

    Args:
        schema: whose `texts_of` gave the texts.
        tokenizer: the task's.
        texts, text_pairs: strings, the second ones or None.
        max_length: of a row in tokens.

    Raises:
        InputError: names the question that leaves no room for its context.
    """
    if schema.stride is None:
        texts = [schema.prefix + text for text in texts]
        rows = tokenizer.encode_batch(texts, text_pairs, max_length=max_length)
        return [np.array(row, "int32") for row in rows]
    windows, _ = windows_of_texts(
        texts,
        text_pairs,
        tokens_of=lambda texts: tokens_in_bytes(tokenizer, texts),
        layout=tokenizer.special_token_layout,
        max_length=max_length,
        stride=schema.stride,
    )
    return [windows.token_ids.row(i) for i in range(len(windows))]


def windows_of_texts(
    texts: Sequence[str],
    text_pairs: Sequence[str] | None,
    *,
    tokens_of: Callable[[Sequence[str]], list[Tokens]],
    layout: SpecialTokenLayout,
    max_length: int,
    stride: int,
) -> tuple[Windows, list[np.ndarray]]:
    """The windows of texts, or of the second texts of pairs, each behind the first.

    Args:
        tokens_of: gives the tokens of texts of any length, none added, and where they lie.
        layout, max_length, stride: see `cut_windows`.

    Returns:
        the windows, and for each text that is cut the places of its tokens, int32 (tokens, 2)
    """
    fronts = None if text_pairs is None else [ids for ids, _ in tokens_of(texts)]
    tokens = tokens_of(texts if text_pairs is None else text_pairs)
    windows = cut_windows(
        [ids for ids, _ in tokens],
        layout=layout,
        max_length=max_length,
        stride=stride,
        fronts=fronts,
    )
    return windows, [places for _, places in tokens]
