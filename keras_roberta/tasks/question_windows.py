"""Questions with the windows of their contexts, and where in these the answers stand."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_roberta.data.examples.examples import Examples
from keras_roberta.data.examples.windows import Windows, cut_windows
from keras_roberta.errors import InputError
from keras_roberta.schemas.answer_labels import Reference, check_in_context


@dataclasses.dataclass
class QuestionExamples(Examples):
    """Windows of contexts as the rows of examples.

    Attributes:
        windows: which row holds which tokens of which context.
        contexts: the contexts.
        offsets: for each context int32 (tokens, 2), where its tokens lie in it, in characters.
    """

    windows: Windows | None = None
    contexts: Sequence[str] = ()
    offsets: Sequence[np.ndarray] = ()


def question_windows(tokenizer, questions, contexts, *, max_length, stride):
    """The rows `<s> question </s></s> part of the context </s>`.

    They are those of Transformers' tokenizers for `truncation="only_second"` with
    `return_overflowing_tokens=True`, where the stride is at most half of what a row has room for.

    Args:
        tokenizer: `keras_roberta.tokenizers.Tokenizer`
        questions, contexts: lists of str.
        max_length: of a row in tokens.
        stride: tokens of the context that a row shares with the one before it.

    Returns:
        `Windows`, and for each context the offsets of its tokens in characters, int32 (tokens, 2).

    Raises:
        InputError: names the question beside which a row has no room.
    """
    fronts = tokenizer.encode_batch(questions, add_special_tokens=False)
    layout = tokenizer.special_token_layout
    distinct = list(dict.fromkeys(contexts))  # many questions are asked of one context
    encoded = tokenizer.encode_with_offsets(distinct)
    ids = {text: ids for text, (ids, _) in zip(distinct, encoded, strict=True)}
    places = {
        text: np.array(offsets, "int32").reshape(-1, 2)
        for text, (_, offsets) in zip(distinct, encoded, strict=True)
    }
    windows = cut_windows(
        [ids[text] for text in contexts],
        layout=layout,
        max_length=max_length,
        stride=stride,
        fronts=fronts,
    )
    return windows, [places[text] for text in contexts]


def span_targets(
    windows: Windows,
    offsets: Sequence[np.ndarray],
    contexts: Sequence[str],
    answers: Sequence[tuple[Reference, ...]],
) -> np.ndarray:
    """The first and the last token of the first answer in each row, int32 (rows, 2).

    Both are 0, for `<s>`, where the row does not hold the whole answer, or there is none. White
    space at the ends of an answer, and tokens of white space alone, do not count. These are
    the labels of Transformers' `run_qa.py`, but that all pieces of a character count: there an
    answer that is one character begins with its last piece and ends with its first.

    Raises:
        InputError: names the context in which an answer does not stand where it says.
    """
    if len(answers) != len(contexts):
        raise InputError(f"{len(contexts)} texts, but {len(answers)} labels or weights")
    for row, (context, of_row) in enumerate(zip(contexts, answers, strict=True)):
        for answer in of_row:
            try:
                check_in_context(answer, context)
            except InputError as error:
                raise InputError(f"row {row}: {error}") from None
    targets = np.zeros((len(windows), 2), "int32")
    for row, text in enumerate(windows.texts):
        begin, count = windows.begins[row], windows.counts[row]
        places = offsets[text][begin : begin + count]
        words = np.flatnonzero(places[:, 1] > places[:, 0])  # not white space alone
        if not answers[text] or not len(words):
            continue
        answer = answers[text][0]
        part = contexts[text][answer.start : answer.end]
        start = answer.end - len(part.lstrip())
        end = start + len(part.strip())
        begins, ends = places[words].T
        if begins[0] <= start and end <= ends[-1]:
            first = np.searchsorted(begins, start, side="right") - 1
            last = np.searchsorted(ends, end, side="left")
            first = np.searchsorted(begins, begins[first], side="left")
            last = np.searchsorted(ends, ends[last], side="right") - 1
            targets[row] = windows.places[row] + words[[first, last]]
    return targets
