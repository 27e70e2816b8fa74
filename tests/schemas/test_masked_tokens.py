"""Candidates for `<mask>` out of an exported file."""

import numpy as np
import pytest

from keras_roberta.errors import InputError
from keras_roberta.schemas import MaskedTokens

SCHEMA = MaskedTokens(mask_token_id=4, top_k=3, max_masks=2)


def outputs():
    """Of two texts, with one mask and with two."""
    ids = np.arange(12, dtype="int32").reshape(2, 2, 3)
    spelt = np.array([f"t{i}" for i in ids.reshape(-1)], object).reshape(ids.shape)
    scores = np.tile(np.array([0.5, 0.3, 0.1], "float32"), (2, 2, 1))
    return {"token_ids": ids, "scores": scores, "tokens": spelt, "num_masks": np.array([1, 2])}


def test_fewer_tokens_than_the_file_gives():
    whole = SCHEMA.answers(SCHEMA.as_asked().finish(outputs()))
    assert whole[0]["tokens"] == [["t0", "t1", "t2"]] and len(whole[1]["tokens"]) == 2
    cut = SCHEMA.answers(SCHEMA.as_asked(top_k=2).finish(outputs()))
    for row, all_of_row in zip(cut, whole, strict=True):
        for name in ("tokens", "scores"):
            assert row[name] == [mask[:2] for mask in all_of_row[name]]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"top_k": 4}, "top_k: the file gives 3 tokens for each mask; export it with top_k=4"),
        ({"top_k": 0}, "top_k must be a whole number from 1"),
        ({"top_k": "2"}, "top_k must be a whole number; got '2'"),
        (
            {"candidates": ["a"]},
            "candidates: the file takes none, it gives the 3 likeliest tokens; ask",
        ),
    ],
)
def test_what_a_file_cannot_answer(asked, message):
    with pytest.raises(InputError, match=message):
        SCHEMA.as_asked(**asked)
