"""Rows that fit a length: what of the texts is kept, and further rows with what overflows."""

from __future__ import annotations

from collections.abc import Sequence

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.call_options import Options
from keras_roberta.tokenizers.special_token_layout import longest_first


def fitting_rows(
    halves: Sequence[list], budget: int | None, options: Options
) -> list[Sequence[list]]:
    """The parts of a row that fits the budget, and of the rows with what overflows it.

    Args:
        halves: the tokens of a text, or of both texts of a pair.
        budget: tokens that a row has room for; None for any number.

    Raises:
        InputError: the text that is to be cut is too short, or the stride too long.
    """
    lengths = [len(half) for half in halves]
    over = 0 if budget is None else sum(lengths) - budget
    if over <= 0:
        return [halves]
    strategy = options.cuts
    if strategy == "longest_first":
        keeps = [budget] if len(halves) == 1 else longest_first(*lengths, budget)
    else:
        cut = ("only_first", "only_second").index(strategy)
        if cut >= len(halves):
            raise InputError("truncation='only_second': there is no second text")
        if lengths[cut] <= over:
            raise InputError(
                f"truncation={strategy!r}: the text has {lengths[cut]} tokens, of which {over} "
                "would have to go; give a larger max_length or truncation='longest_first'"
            )
        keeps = [n - over * (i == cut) for i, n in enumerate(lengths)]
    windows = [_windows(*half, options.stride) for half in zip(halves, keeps, strict=True)]
    if len(windows) == 1:
        return [(window,) for window in windows[0]]
    firsts, seconds = windows
    rows = [(a, b) for a in firsts[1:] for b in seconds] + [(firsts[0], b) for b in seconds[1:]]
    return [(firsts[0], seconds[0]), *rows]


def _windows(tokens: list, size: int, stride: int) -> list[list]:
    """Stretches of `size` tokens, each beginning with the last `stride` of the one before."""
    if len(tokens) <= size:
        return [tokens]
    if size == 0:
        return [[], tokens]
    if stride >= size:
        raise InputError(
            f"stride {stride}: a row has room for {size} tokens of the text; give fewer than that"
        )
    begins = range(0, len(tokens) - stride, size - stride)
    return [tokens[begin : begin + size] for begin in begins]
