"""The labels of a text, a tag for each word or labelled stretches of it, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_roberta.data.examples.label_names import as_plain, shortened
from keras_roberta.data.examples.words import Places, cuts_character
from keras_roberta.errors import InputError
from keras_roberta.schemas.tag_schemes import OUTSIDE, Span, TagScheme, repaired_tags

_SPAN = "give spans as {'start': 0, 'end': 3, 'label': 'PER'} or (0, 3, 'PER')"


class Annotation(NamedTuple):
    """What is true of one text: `tags`, one a word, or `spans` in characters; the other is None."""

    tags: tuple[str, ...] | None
    spans: tuple[Span, ...] | None


def read_annotation(labels: Any, tags: Sequence[str] | None) -> Annotation:
    """The labels of one text as they come, of whatever types.

    Args:
        labels: a list of tags, as names or as numbers of `tags`; or a list of spans, dicts of
            `start`, `end` and `label` or triples of these.
        tags: names of the numbers; None where numbers mean nothing.

    Raises:
        InputError: says what is neither a tag nor a span.
    """
    labels = as_plain(labels)
    if isinstance(labels, (str, bytes, Mapping)) or not hasattr(labels, "__iter__"):
        raise InputError(f"expected a tag for each word, or a list of spans; got {labels!r:.40}")
    labels = [as_plain(label) for label in labels]
    if any(isinstance(label, (Mapping, list, tuple)) for label in labels) or not labels:
        return Annotation(None, tuple(_span(label) for label in labels))
    return Annotation(tuple(_tag(label, tags) for label in labels), None)


def true_spans(annotation: Annotation, text: str, words: Places, scheme: TagScheme) -> list[Span]:
    """The spans of a text in characters; those that were given in characters lose the white space
    at their edges.

    Args:
        words: those that tags are of.

    Raises:
        InputError: there are not as many tags as words; or a span lies outside of the text, is
            empty, cuts a character or overlaps another.
    """
    if annotation.tags is not None:
        check_number(annotation.tags, words)
        return [
            Span(words[begin][0], words[end - 1][1], label)
            for begin, end, label in scheme.spans(annotation.tags)
        ]
    spans = sorted(_checked(span, text) for span in annotation.spans)
    for one, other in zip(spans, spans[1:], strict=False):
        if other.begin < one.end:
            raise InputError(
                f"the spans {_shown(one)} and {_shown(other)} overlap; a word has one label"
            )
    return spans


def words_of_spans(spans: Sequence[Span], words: Places) -> tuple[list[Span], int]:
    """Spans of characters as spans of words, and how many of them end within words: these become
    as long as the words. A word that several spans cut goes to the first of them."""
    found, widened, end_before = [], 0, 0
    begins = np.array([begin for begin, _ in words], np.int64)
    ends = np.array([end for _, end in words], np.int64)
    for span in spans:
        begin = max(int(np.searchsorted(ends, span.begin, side="right")), end_before)
        end = int(np.searchsorted(begins, span.end, side="left"))
        if begin >= end:  # nothing is left of it
            widened += 1
            continue
        widened += (begins[begin], ends[end - 1]) != (span.begin, span.end)
        found.append(Span(begin, end, span.label))
        end_before = end
    return found, int(widened)


def between_words(spans: Sequence[Span], words: Places) -> list[Span]:
    """Spans of characters without what lies in front of the first and behind the last of some
    words. A span that holds none of them stays as it is.

    >>> between_words([Span(0, 6, "LOC")], [(2, 6), (7, 9)])
    [Span(begin=2, end=6, label='LOC')]
    """
    begins = np.array([begin for begin, _ in words], np.int64)
    ends = np.array([end for _, end in words], np.int64)
    found = []
    for span in spans:
        first = int(np.searchsorted(ends, span.begin, side="right"))
        behind = int(np.searchsorted(begins, span.end, side="left"))
        if first < behind:
            begin, end = max(span.begin, begins[first]), min(span.end, ends[behind - 1])
            span = Span(int(begin), int(end), span.label)
        found.append(span)
    return found


def repairs_of(annotation: Annotation, text: str, words: Places, scheme: TagScheme) -> int:
    """How many tags, or spans, of a text are repaired before they are learnt from."""
    if annotation.tags is not None:
        return repaired_tags(scheme, annotation.tags)
    return words_of_spans(true_spans(annotation, text, words, scheme), words)[1]


def check_number(tags: Sequence[str], words: Places) -> None:
    """Raises an InputError unless there is a tag for each word."""
    if len(tags) != len(words):
        raise InputError(
            f"{len(tags)} tag{'s' * (len(tags) != 1)} for {len(words)} "
            f"word{'s' * (len(words) != 1)}; give one for each word"
        )


def check_known(annotation: Annotation, scheme: TagScheme) -> None:
    """Raises an InputError that names the first label which a model does not know."""
    found = annotation.spans
    if annotation.tags is not None:
        # Of whatever scheme: B-PER is known where I-PER is.
        found = [scheme.parsed(tag) for tag in annotation.tags if tag != OUTSIDE]
        if scheme.marks_single_words and OUTSIDE in annotation.tags:
            raise InputError(f"label {OUTSIDE!r} is none of {shortened(scheme.labels)}")
    for one in found:
        if one.label not in scheme.labels:
            raise InputError(f"label {one.label!r} is none of {shortened(scheme.labels)}")


def _tag(label, tags):
    if isinstance(label, str) and label:
        return label
    if isinstance(label, (int, np.integer)) and not isinstance(label, bool):
        if tags is None:
            raise InputError(
                f"the tags are numbers such as {label}; name them in their order, such as "
                "--labels O,B-PER,I-PER"
            )
        if 0 <= label < len(tags):
            return tags[label]
        raise InputError(f"label {label} is outside 0..{len(tags) - 1}")
    raise InputError(f"expected a tag such as B-PER, found {label!r:.40}")


def _span(value):
    if isinstance(value, Mapping):
        parts = [value.get(name) for name in ("start", "end", "label")]
    elif isinstance(value, (list, tuple)) and len(value) == 3:
        parts = list(value)
    else:
        raise InputError(f"{_SPAN}; got {value!r:.60}")
    begin, end, label = map(as_plain, parts)
    is_place = all(type(place) is int for place in (begin, end))
    if not is_place or not isinstance(label, str) or not label:
        raise InputError(f"{_SPAN}; got {value!r:.60}")
    return Span(begin, end, label)


def _checked(span, text):
    if not 0 <= span.begin <= span.end <= len(text):
        raise InputError(
            f"the span {_shown(span)} lies outside of the text, which has {len(text)} characters"
        )
    for place in (span.begin, span.end):
        if cuts_character(text, place):
            raise InputError(
                f"the span {_shown(span)} cuts the character {text[place - 1 : place + 1]!r}"
            )
    content = text[span.begin : span.end]
    begin = span.begin + len(content) - len(content.lstrip())
    if not content.strip():
        raise InputError(f"the span {_shown(span)} holds no text; remove it")
    return Span(begin, begin + len(content.strip()), span.label)


def _shown(span):
    return f"{span.begin}-{span.end} ({span.label})"
