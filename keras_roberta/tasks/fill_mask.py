"""Filling in `<mask>`: candidates with the text that each of them makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_roberta.options import OptionError
from keras_roberta.tokenizers.protocol import Tokenizer


def fill_mask(task, x: str | Sequence[str], top_k: int, candidates: Sequence[str] | None) -> list:
    """See `RobertaMaskedLM.fill_mask`.

    Args:
        task: a `RobertaMaskedLM` with its preprocessor.
    """
    texts = [x] if isinstance(x, str) else list(x)
    outputs = task.named_outputs(texts, top_k=top_k, candidates=candidates)
    task.schema.check_answered(texts, outputs)
    rows = task.preprocessor(texts)
    found = []
    for row in range(len(texts)):
        ids = rows["token_ids"][row][rows["padding_mask"][row] > 0]
        of_text = []
        for number, place in enumerate(np.flatnonzero(ids == task.schema.mask_token_id)):
            of_text.append(
                [
                    {
                        "token_id": int(token_id),
                        "token": token,
                        "score": float(score),
                        "filled": _filled(task.preprocessor.tokenizer, ids, place, token_id),
                    }
                    for token_id, token, score in zip(
                        *(outputs[name][row][number] for name in ("token_ids", "tokens", "scores")),
                        strict=True,
                    )
                ]
            )
        found.append(of_text[0] if len(of_text) == 1 else of_text)
    return found[0] if isinstance(x, str) else found


def candidate_ids(tokenizer: Tokenizer, candidates: Sequence[str], is_mask: np.ndarray):
    """The ids that words have in the place of each mask: int (rows, masks, words), of words with
    the same id the first.

    A word has the space in front of it that it has in a text, but for a mask that begins one.

    Args:
        is_mask: bool (rows, length), where in the token ids of texts there is `<mask>`.

    Raises:
        OptionError: a word is not one token, or there is none.
    """
    words = [word.removeprefix(" ") for word in _checked(candidates)]
    ids = _single_tokens(tokenizer, [f" {word}" for word in words])
    _, first = np.unique(ids, return_index=True)
    first.sort()
    rows, masks = len(is_mask), max(int(is_mask.sum(axis=1).max(initial=0)), 1)
    found = np.tile(ids[first], (rows, masks, 1))
    begins = is_mask[:, 1]  # behind `<s>`
    if begins.any():
        found[begins, 0] = _single_tokens(tokenizer, words)[first]
    return found


def _checked(candidates) -> list[str]:
    words = [candidates] if isinstance(candidates, str) else list(candidates)
    if not words:
        raise OptionError("candidates", ": give one or more words, or leave it out for all tokens")
    for word in words:
        if not isinstance(word, str) or not word.strip():
            raise OptionError("candidates", f": expected words; got {word!r}")
    return words


def _single_tokens(tokenizer: Tokenizer, targets: list[str]) -> np.ndarray:
    """The ids of texts of one token each."""
    rows = tokenizer.encode_batch(targets, add_special_tokens=False)
    for target, row in zip(targets, rows, strict=True):
        if len(row) != 1:
            pieces = ", ".join(repr(tokenizer.decode([token_id])) for token_id in row)
            raise OptionError(
                "candidates",
                f": {target!r} is {len(row)} tokens ({pieces}), and a mask stands for one",
            )
    return np.array([row[0] for row in rows])


def _filled(tokenizer: Tokenizer, ids: np.ndarray, place: int, token_id: Any) -> str:
    """The text with one mask filled in; others stay."""
    ids = ids.copy()
    ids[place] = token_id
    ends = (tokenizer.start_token_id, tokenizer.end_token_id)
    return tokenizer.decode([i for i in ids.tolist() if i not in ends], skip_special_tokens=False)
