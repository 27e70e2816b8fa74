"""A tokenizer as Hugging Face's users call it: `tok(texts, padding=True, truncation=True)`.

It stands on `protocol.Tokenizer` alone, so that every kind has it. Names, defaults and values are
those of Transformers' fast tokenizers; what differs is written down in
`docs/guides/hugging-face.md`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.batch_encoding import BatchEncoding, Token
from keras_roberta.tokenizers.call_options import Options
from keras_roberta.tokenizers.overflow import fitting_rows
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout, checked_length
from keras_roberta.tokenizers.texts import as_texts


def encode(
    tokenizer,
    texts: Any,
    text_pair: Any = None,
    max_length: int | None = None,
    add_special_tokens: bool = True,
    **options: Any,
) -> BatchEncoding:
    """Texts in the form of Hugging Face.

    Args:
        tokenizer: `protocol.Tokenizer`
        texts, text_pair: one text, or many; with `is_split_into_words` a list of words, or many.
        max_length: for `truncation` and for `padding="max_length"`; by default the tokenizer's
            `model_max_length`.
        add_special_tokens: whether to put special tokens around texts.
        options: see `Options`.

    Returns:
        `input_ids` and `attention_mask`, and what `return_` options ask for.

    Raises:
        InputError: an option is unknown, or its value, or the texts do not fit it.
    """
    options = Options.of(options)
    max_length = checked_length(max_length)
    texts, one = _as_batch(texts, options.is_split_into_words)
    pairs = None
    if text_pair is not None:
        pairs, one_pair = _as_batch(text_pair, options.is_split_into_words)
        if one != one_pair or len(pairs) != len(texts):
            raise InputError("text_pair: give one text for one text, as many as there are texts")
    layout = tokenizer.special_token_layout if add_special_tokens else SpecialTokenLayout.none()
    budget = layout.budget(options.longest(max_length, tokenizer), pairs is not None)

    sides = [texts] if pairs is None else [texts, pairs]
    sides = [_tokens(tokenizer, side, i, options) for i, side in enumerate(sides)]
    rows, samples = [], []
    for sample, halves in enumerate(zip(*sides, strict=True)):
        found = [_row(layout, *parts) for parts in fitting_rows(halves, budget, options)]
        found = found if options.return_overflowing_tokens else found[:1]
        rows += found
        samples += [sample] * len(found)

    lengths = list(map(len, rows))
    rows = _padded(rows, options.padded_length(lengths, max_length, tokenizer), tokenizer, options)
    values = _columns(rows, lengths, samples, options)
    if options.return_tensors is not None:
        values = {name: _tensor(name, v, options.return_tensors) for name, v in values.items()}
    elif one and not options.return_overflowing_tokens:
        values = {name: value[0] for name, value in values.items()}
    names = [[tokenizer.id_to_token(token.id) for token in row] for row in rows]
    return BatchEncoding(values, rows, names)


def _as_batch(texts, is_split_into_words) -> tuple[list, bool]:
    """Texts as a list, or lists of words as a list of them; and whether it was a single one."""
    if not is_split_into_words:
        return as_texts(texts)
    if isinstance(texts, (str, bytes)):
        raise InputError("is_split_into_words: expected lists of words, found a single string")
    texts = list(texts)
    if all(isinstance(word, (str, bytes)) for word in texts) and texts:
        return [as_texts(texts)[0]], True
    for row, words in enumerate(texts):
        if isinstance(words, (str, bytes)):
            raise InputError(f"is_split_into_words: row {row} is a string, not a list of words")
    return [as_texts(words)[0] for words in texts], False


def _tokens(tokenizer, texts, side, options) -> list[list[Token]]:
    """The tokens of each text."""
    return [
        [Token(*token, side) for token in zip(*text, strict=True)]
        for text in tokenizer.encode_words(texts, options.is_split_into_words)
    ]


def _row(layout: SpecialTokenLayout, first: list, second: list | None = None) -> list[Token]:
    around = SpecialTokenLayout(*([Token(index) for index in part] for part in layout))
    (row,) = around.rows([first], None if second is None else [second], None)
    return row


def _padded(rows, length: int | None, tokenizer, options) -> list[list[Token]]:
    padding = [[Token(tokenizer.pad_token_id)] * ((length or 0) - len(row)) for row in rows]
    if options.padding_side == "left":
        return [pad + row for pad, row in zip(padding, rows, strict=True)]
    return [row + pad for pad, row in zip(padding, rows, strict=True)]


def _columns(rows, lengths, samples, options) -> dict[str, list]:
    """What a call gives by name, a list a row.

    Args:
        rows: padded.
        lengths: of the rows before padding.
        samples: the number of the text that each row is of.
    """
    columns = {"input_ids": [[token.id for token in row] for row in rows]}
    if options.return_token_type_ids:  # RoBERTa has one type
        columns["token_type_ids"] = [[0] * len(row) for row in rows]
    if options.return_attention_mask is not False:
        masks = [[1] * n + [0] * (len(row) - n) for row, n in zip(rows, lengths, strict=True)]
        left = options.padding_side == "left"
        columns["attention_mask"] = [mask[::-1] for mask in masks] if left else masks
    if options.return_special_tokens_mask:
        columns["special_tokens_mask"] = [[int(t.side is None) for t in row] for row in rows]
    if options.return_offsets_mapping:
        columns["offset_mapping"] = [[token.offsets for token in row] for row in rows]
    if options.return_length:
        columns["length"] = list(map(len, rows))
    if options.return_overflowing_tokens:
        columns["overflow_to_sample_mapping"] = samples
    return columns


def _tensor(name: str, rows: list, kind: str):
    lengths = {len(row) for row in rows if isinstance(row, list)}
    if len(lengths) > 1:
        raise InputError(
            f"return_tensors={kind!r}: the rows have {min(lengths)} to {max(lengths)} tokens; give "
            "padding=True, and truncation=True where they are too long"
        )
    array = np.array(rows, np.int64)
    if name == "offset_mapping":
        array = array.reshape(len(rows), -1, 2)
    if kind == "np":
        return array
    import tensorflow as tf

    return tf.constant(array, tf.int32)
