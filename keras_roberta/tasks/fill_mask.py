"""Filling in `<mask>`: candidates with the text that each of them makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.protocol import Tokenizer


def fill_mask(task, x: str | Sequence[str], top_k: int, candidates: Sequence[str] | None) -> list:
    """See `RobertaMaskedLM.fill_mask`.

    Args:
        task: a `RobertaMaskedLM` with its preprocessor.
    """
    texts = [x] if isinstance(x, str) else list(x)
    mask_token = task.schema.mask_token
    targets = words = None
    if candidates is not None:
        words = _checked(candidates)
        places = {text.startswith(mask_token) for text in texts if isinstance(text, str)}
        targets = [_form(word, begins) for begins in places | {False} for word in words]
        _check_single_tokens(task.preprocessor.tokenizer, targets)
    of_all = top_k if words is None else len(targets)
    outputs = task.named_outputs(texts, top_k=of_all, targets=targets)
    task.schema.check_answered(texts, outputs)
    rows = task.preprocessor(texts)
    found = []
    for row, text in enumerate(texts):
        ids = rows["token_ids"][row][rows["padding_mask"][row] > 0]
        of_text = []
        for number, place in enumerate(np.flatnonzero(ids == task.schema.mask_token_id)):
            begins = number == 0 and text.startswith(mask_token)
            allowed = None if words is None else {_form(word, begins) for word in words}
            of_mask = [
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
                if allowed is None or token in allowed
            ]
            of_text.append(of_mask[:top_k])
        found.append(of_text[0] if len(of_text) == 1 else of_text)
    return found[0] if isinstance(x, str) else found


def _checked(candidates) -> list[str]:
    words = [candidates] if isinstance(candidates, str) else list(candidates)
    if not words:
        raise InputError("candidates: give one or more words, or leave it out for all tokens")
    for word in words:
        if not isinstance(word, str) or not word.strip():
            raise InputError(f"candidates: expected words; got {word!r}")
    return words


def _form(word: str, begins: bool) -> str:
    """A word as it stands in a text: with a space in front of it, unless it begins the text."""
    return word if begins or word.startswith(" ") else f" {word}"


def _check_single_tokens(tokenizer: Tokenizer, targets: list[str]) -> None:
    rows = tokenizer.encode_batch(targets, add_special_tokens=False)
    for target, row in zip(targets, rows, strict=True):
        if len(row) != 1:
            pieces = ", ".join(repr(tokenizer.decode([token_id])) for token_id in row)
            raise InputError(
                f"candidates: {target!r} is {len(row)} tokens ({pieces}), and a mask stands for one"
            )


def _filled(tokenizer: Tokenizer, ids: np.ndarray, place: int, token_id: Any) -> str:
    """The text with one mask filled in; others stay."""
    ids = ids.copy()
    ids[place] = token_id
    ends = (tokenizer.start_token_id, tokenizer.end_token_id)
    return tokenizer.decode([i for i in ids.tolist() if i not in ends], skip_special_tokens=False)
