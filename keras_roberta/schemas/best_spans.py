"""The best part of a context for an answer, of the logits of its windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

IMPOSSIBLE = -1e4  # the logit of what cannot be part of an answer


class Window(NamedTuple):
    """The outputs for one row of tokens, of which some are of the context.

    Attributes:
        logits: float (tokens, 2), of the first and of the last token of the answer. Those of the
            first token, `<s>`, stand for no answer.
        offsets: int (tokens, 2), where each token of the context lies in it; (0, 0) for the others.
            A token of white space alone may have the empty place (k, k), k > 0; it is part of the
            context, but no answer by itself.
    """

    logits: np.ndarray
    offsets: np.ndarray


class BestSpans(NamedTuple):
    """The best parts of one context, the best first.

    Attributes:
        starts, ends: int32 (n_best,), in the units of the offsets; 0 behind the last.
        scores: float32 (n_best,), the probabilities of the first token and of the last, among the
            tokens of the context in all windows and `<s>`, multiplied; 0 behind the last.
        no_answer: the probability that there is no answer, against the best part: the logistic
            function of the difference of their sums of logits, SQuAD 2.0's usual score of "no
            answer". The sum for no answer is the least of all windows.
    """

    starts: np.ndarray
    ends: np.ndarray
    scores: np.ndarray
    no_answer: float


def best_spans(windows: Sequence[Window], n_best: int, max_answer_length: int) -> BestSpans:
    """The parts of a context with the largest sums of logits.

    This is what Transformers' question answering does after the model, but that it looks at the
    likeliest first and last tokens alone; here all pairs are compared.

    Args:
        windows: of one context.
        n_best: how many parts to give; what stands in two windows counts once.
        max_answer_length: the most tokens of a part.
    """
    found = {}  # place -> the largest sum of its logits
    for window in windows:  # the best of all windows are among the best of each
        for place, total in _candidates(window, n_best, max_answer_length):
            found[place] = max(total, found.get(place, -np.inf))
    ranked = sorted(found.items(), key=lambda item: -item[1])[:n_best]
    nothing = min(float(window.logits[0].astype("float64").sum()) for window in windows)
    starts, ends, scores = np.zeros(n_best, "int32"), np.zeros(n_best, "int32"), np.zeros(n_best)
    normalizer = sum(_log_sum(windows, side) for side in (0, 1))
    for i, ((start, end), total) in enumerate(ranked):
        starts[i], ends[i] = start, end
        scores[i] = np.exp(min(total - normalizer, 0.0))
    difference = nothing - ranked[0][1] if ranked else np.inf
    no_answer = float(np.exp(-np.logaddexp(0.0, -difference)))
    return BestSpans(starts, ends, scores.astype("float32"), no_answer)


def _candidates(window, n_best, max_answer_length):
    """The best parts in one window: pairs of (start, end) and the sum of their logits.

    Each place comes once: several pieces of a character have the same one.
    """
    inside = _in_context(window.offsets)
    if not inside.any():
        return
    logits = np.where(inside[:, None], window.logits.astype("float64"), -np.inf)
    length = min(max_answer_length, len(logits))
    ends = np.concatenate([logits[:, 1], np.full(length - 1, -np.inf)])
    totals = logits[:, :1] + np.lib.stride_tricks.sliding_window_view(ends, length)
    behind = np.concatenate([window.offsets[:, 1], np.zeros(length - 1, "int32")])
    behind = np.lib.stride_tricks.sliding_window_view(behind, length)
    totals = np.where(behind > window.offsets[:, :1], totals, -np.inf)
    flat = totals.reshape(-1)  # first token * length + further tokens
    if n_best == 1:
        best = [int(flat.argmax())]
    else:
        best = np.argsort(-flat, kind="stable").tolist()
    seen = set()
    for index in best:
        if len(seen) == n_best or not np.isfinite(flat[index]):
            return
        first, further = divmod(index, length)
        place = int(window.offsets[first, 0]), int(window.offsets[first + further, 1])
        if place not in seen:
            seen.add(place)
            yield place, float(flat[index])


def _log_sum(windows, side):
    """The logarithm of the sum of exponentials over the contexts and `<s>` of all windows."""
    logits = []
    for window in windows:
        counted = _in_context(window.offsets)
        counted[0] = True
        logits.append(window.logits[counted, side].astype("float64"))
    logits = np.concatenate(logits)
    largest = logits.max()
    return largest + np.log(np.exp(logits - largest).sum())


def _in_context(offsets):
    return offsets[:, 1] > 0
