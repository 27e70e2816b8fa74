"""Right answers as they come in tables and Python data: parts of a context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_roberta.data.examples.label_names import LabelError, as_integer, as_plain, flat_labels
from keras_roberta.errors import InputError
from keras_roberta.files.json_kinds import short

EXPECTED = (
    'an answer is {"text": …, "answer_start": …}, a (start, end) pair in characters of the '
    "context, a list of these, or None or [] where the context has no answer"
)


class Reference(NamedTuple):
    """A right answer.

    Attributes:
        start, end: its first character in the context, and the one behind its last.
        text: what stands there, as far as it was given; else None.
    """

    start: int
    end: int
    text: str | None = None


def references(labels: Any) -> np.ndarray:
    """Labels of any form as an object array (rows,) of tuples of `Reference`s, () for no answer.

    Args:
        labels: a label for each row: a dict of `text` and `answer_start`, of one answer or, as in
            Hugging Face's datasets, of lists of them; a (start, end) pair in characters; a list of
            such dicts or pairs, of which the first is learnt; or None or an empty list where the
            context has no answer. Or all of them as one dict of columns, or as an array (rows, 2).

    Raises:
        LabelError: names the row that is something else.
    """
    if isinstance(labels, Mapping):
        labels = _rows_of_columns(labels)
    rows = flat_labels(labels)
    found = np.empty(len(rows), object)
    for row, label in enumerate(rows):
        try:
            found[row] = _references_of(label)
        except InputError as error:
            raise LabelError(row, str(error)) from None
    return found


def check_in_context(answer: Reference, context: str) -> None:
    """Raises an InputError unless the answer stands in the context where it says."""
    there = context[answer.start : answer.end]
    if answer.end > len(context):
        raise InputError(
            f"the answer {_shown(answer)} ends behind the context, which has {len(context)} "
            "characters"
        )
    if answer.text is not None and there != answer.text:
        place = context.find(answer.text)
        hint = f"; it is at {place}" if place >= 0 else ""
        raise InputError(
            f"the answer {_shown(answer)} is not in the context there, which has {short(there)}"
            f"{hint}"
        )
    if not there.strip():
        raise InputError(f"the answer {_shown(answer)} is white space alone; leave it out")


def _shown(answer):
    if answer.text is None:
        return f"({answer.start}, {answer.end})"
    return f"{short(answer.text)} at {answer.start}"


def _rows_of_columns(labels):
    """One dict of columns as a dict a row."""
    try:
        texts, starts = labels["text"], labels["answer_start"]
    except KeyError:
        raise InputError(f"{EXPECTED}; found a dict of {', '.join(map(repr, labels))}") from None
    texts, starts = flat_labels(texts), flat_labels(starts)
    if len(texts) != len(starts):
        raise InputError(f"{len(texts)} texts of answers, but {len(starts)} of 'answer_start'")
    return [{"text": t, "answer_start": s} for t, s in zip(texts, starts, strict=True)]


def _references_of(label) -> tuple[Reference, ...]:
    """The references of one row."""
    label = as_plain(label)
    if label is None:
        return ()
    if isinstance(label, Reference) or isinstance(label, Mapping) or _is_pair(label):
        return _answers_of(label)
    if isinstance(label, (list, tuple)):
        return tuple(answer for part in label for answer in _answers_of(as_plain(part)))
    raise InputError(f"{EXPECTED}; found {short(label)}")


def _answers_of(label) -> tuple[Reference, ...]:
    """Those of a dict, which may hold several, or of a pair."""
    if isinstance(label, Reference):
        return (label,)
    if isinstance(label, Mapping):
        if not {"text", "answer_start"} <= label.keys():
            raise InputError(f"{EXPECTED}; found {short(dict(label))}")
        texts, starts = as_plain(label["text"]), as_plain(label["answer_start"])
        if not isinstance(texts, (list, tuple)):
            texts, starts = [texts], [starts]
        elif not isinstance(starts, (list, tuple)):
            raise InputError(f"{EXPECTED}; found {short(dict(label))}")
        texts, starts = list(map(as_plain, texts)), list(map(as_plain, starts))
        if len(texts) != len(starts):
            raise InputError(f"{len(texts)} texts of answers, but {len(starts)} of 'answer_start'")
        return tuple(map(_of_text, texts, starts))
    if _is_pair(label):
        start, end = map(as_integer, label)
        if not 0 <= start < end:
            raise InputError(f"an answer from {start} to {end} is no part of a text")
        return (Reference(start, end),)
    raise InputError(f"{EXPECTED}; found {short(label)}")


def _of_text(text, start):
    if not isinstance(text, str) or as_integer(start) is None or isinstance(start, (str, bool)):
        raise InputError(f"{EXPECTED}; found {short({'text': text, 'answer_start': start})}")
    if not text:
        raise InputError("an answer is empty; leave it out where the context has none")
    if start < 0:
        raise InputError(f"the answer {short(text)} has the answer_start {start}")
    return Reference(int(start), int(start) + len(text), text)


def _is_pair(label):
    return (
        isinstance(label, (list, tuple))
        and len(label) == 2
        and all(as_integer(x) is not None and not isinstance(x, (str, bool)) for x in label)
    )
