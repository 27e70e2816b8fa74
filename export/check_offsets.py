"""The check that a file places tokens in the text where the task's tokenizer places them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from keras_roberta.data.examples.words import places_in_characters
from keras_roberta.export.mismatch import ExportMismatch
from keras_roberta.tokenizers import Tokenizer
from keras_roberta.tokenizers.texts import without_surrogates


def check_offsets(
    found: Sequence[np.ndarray],
    tokenizer: Tokenizer,
    texts: Sequence[str],
    text_pairs: Sequence[str] | None,
    max_length: int,
) -> None:
    """Compares the places of the tokens of rows.

    Places are compared as those of whole characters: a file tells them in bytes, of which several
    tokens may share a character.

    Args:
        found: the file's, for each row int32 (tokens, 2), in bytes; padding may follow.
        tokenizer: the task's.
        texts, text_pairs: what the rows were made of.
        max_length: of a row, in tokens.

    Raises:
        ExportMismatch: names the first text whose tokens lie elsewhere.
    """
    expected = tokenizer.encode_aligned(texts, text_pairs, max_length=max_length)
    sides = [texts] if text_pairs is None else [texts, text_pairs]
    ends = np.cumsum(expected.row_lengths)
    for row, (end, length) in enumerate(zip(ends, expected.row_lengths, strict=True)):
        of_row = slice(end - length, end)
        places, side_of = np.asarray(found[row])[:length], expected.sides[of_row]
        if places[side_of < 0].any():
            raise _elsewhere(sides[0][row])
        for side, texts_of_side in enumerate(sides):
            inside = side_of == side
            _compare(texts_of_side[row], places[inside], expected.offsets[of_row][inside])


def check_whole_texts(tokenize: Callable, tokenizer: Tokenizer, texts: Sequence[str]) -> None:
    """Compares the tokens of texts of any length, and their places; see `Runner.tokenize`.

    Args:
        tokenize: that of the file's runner.
        tokenizer: the task's.
        texts: some of which are longer than what the file reads at a time.

    Raises:
        ExportMismatch: names the first text that has other tokens, or whose tokens lie elsewhere.
    """
    expected = tokenizer.encode_with_offsets(texts)
    for text, (ids, places), (right, offsets) in zip(texts, tokenize(texts), expected, strict=True):
        if ids.tolist() != list(right):
            raise ExportMismatch(
                f"the tokenizer in the file makes other tokens of the whole text {text!r:.50} than "
                "the task's; nothing was written"
            )
        _compare(text, places, np.array(offsets).reshape(-1, 2))


def _compare(text, found, expected):
    """`found` in bytes, `expected` in characters, int (tokens, 2)."""
    text = without_surrogates(text)
    for place, right in zip(places_in_characters(text, found), expected, strict=True):
        # A token of white space alone is of no word, wherever in it it lies.
        if place.tolist() != list(right) and (_part(text, place) or _part(text, right)):
            raise _elsewhere(text)


def _part(text, place):
    return text[place[0] : place[1]].strip()


def _elsewhere(text):
    return ExportMismatch(
        f"the tokenizer in the file places tokens of {text!r:.50} elsewhere than the task's; "
        "nothing was written"
    )
