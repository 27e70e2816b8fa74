"""Tags of words, and the spans of words that they mark.

A tag is a prefix and a label, such as `B-PER`, or `O` outside of all spans. The schemes are those
of the CoNLL shared tasks and of their followers:

    BIO     B- begins a span, I- goes on (IOB2; Tjong Kim Sang and Veenstra, 1999)
    IOB1    I- throughout, B- only where a span follows one of the same label
    BIOES   E- ends a span of several words, S- is one of a single word
    BILOU   the same, with L- and U-
    IO      the label alone: neighbours of one label are one span

Labels may look as if they had a prefix, as E-MAIL or S-BAHN do, see `_have_prefixes`. Tags without
any `O` mark words one by one, as parts of speech do.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"
UNNAMED = "_"  # the label of spans whose tags are B, I and O alone, as in seqeval
_PREFIXES = "BIESLU"
_AS_BIOES = {"L": "E", "U": "S"}
# Where a set of tags lacks a prefix another one stands for it: best one that goes on with the span.
_ORDERS = {"I": "IELBSU", "E": "EILSUB", "L": "LIESUB"}


class Span(NamedTuple):
    """Words `begin` to `end`, the last of them not included, that have a label."""

    begin: int
    end: int
    label: str


class Tag(NamedTuple):
    """`prefix` is one of B, I, E, S; O outside; "" for a label alone."""

    prefix: str
    label: str


@dataclasses.dataclass(frozen=True)
class TagScheme:
    """How a set of tags is to be read.

    Attributes:
        tags: all of them.
        is_iob1: whether they are of IOB1 although some begin with B-.
    """

    tags: tuple[str, ...]
    is_iob1: bool = False

    @functools.cached_property
    def is_bare(self) -> bool:
        """Whether the prefixes stand alone, for spans of a single kind: B, I, O."""
        return all(tag in (OUTSIDE, *_PREFIXES) for tag in self.tags) and "B" in self.tags

    @functools.cached_property
    def is_plain(self) -> bool:
        """Whether tags have no prefixes."""
        return not self.is_bare and not _have_prefixes(self.tags)

    @property
    def marks_single_words(self) -> bool:
        """Whether every word has a label of its own, as parts of speech do."""
        return self.is_plain and OUTSIDE not in self.tags

    @functools.cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels of spans, in the order of the tags."""
        found = (self.parsed(tag).label for tag in self.tags if tag != OUTSIDE)
        return tuple(dict.fromkeys(found))

    @functools.cached_property
    def name(self) -> str:
        """One of those above, by the prefixes."""
        if self.is_plain:
            return "IO"
        prefixes = {tag[0] for tag in self.tags if self.parsed(tag).prefix not in ("", OUTSIDE)}
        if prefixes & {"L", "U"}:
            return "BILOU"
        if prefixes & {"E", "S"}:
            return "BIOES"
        return "IOB1" if self.is_iob1 or "B" not in prefixes else "BIO"

    @functools.cached_property
    def complete(self) -> TagScheme:
        """The same with every prefix for every label."""
        if self.is_plain or self.is_bare:
            return self
        prefixes = {"BIOES": "BIES", "BILOU": "BILU"}.get(self.name, "BI")
        every = (f"{prefix}-{label}" for label in self.labels for prefix in prefixes)
        return TagScheme((OUTSIDE, *every), is_iob1=self.name == "IOB1")

    def parsed(self, tag: str) -> Tag:
        """The parts of a tag.

        >>> TagScheme(("O", "B-PER")).parsed("B-PER"), TagScheme(("O", "PER")).parsed("PER")
        (Tag(prefix='B', label='PER'), Tag(prefix='', label='PER'))
        """
        if tag == OUTSIDE:
            return Tag(OUTSIDE, "")
        if self.is_bare and len(tag) == 1 and tag in _PREFIXES:
            return Tag(_AS_BIOES.get(tag, tag), UNNAMED)
        if self.is_plain and tag in self.tags:
            return Tag("", tag)
        if _has_prefix(tag):  # also where the scheme has none: tags of other data
            return Tag(_AS_BIOES.get(tag[0], tag[0]), tag[2:])
        return Tag("", tag)

    def spans(self, tags: Iterable[str]) -> list[Span]:
        """The spans that tags mark. A tag that does not go on with the span in front of it begins
        one, as in conlleval and in seqeval: no sequence is wrong."""
        found: list[Span] = []
        before = Tag(OUTSIDE, "")
        for place, text in enumerate(tags):
            tag = self.parsed(text)
            if tag.prefix != OUTSIDE:
                goes_on = (
                    before.prefix in ("B", "I", "")
                    and tag.prefix in ("I", "E", "")
                    and tag.label == before.label
                    and not self.marks_single_words
                )
                if goes_on:
                    found[-1] = found[-1]._replace(end=place + 1)
                else:
                    found.append(Span(place, place + 1, tag.label))
            before = tag
        return found

    def tags_of(self, spans: Iterable[Span], length: int) -> list[str]:
        """The tags of so many words: the inverse of `spans`.

        Where the scheme lacks a tag, as I- of a label whose spans were all single words, another
        one of the label stands for it.
        """
        tags = [OUTSIDE] * length
        end, label = 0, None  # of the span before
        for span in sorted(spans):
            follows_its_like = span.begin == end and span.label == label and end > 0
            for place in range(span.begin, span.end):
                prefix = self._prefix(place == span.begin, place == span.end - 1, follows_its_like)
                tags[place] = self._spelt(prefix, span.label)
            end, label = span.end, span.label
        return tags

    def inside(self, tag: str) -> str:
        """The tag of a further piece of a word that has this one.

        >>> TagScheme(("O", "B-PER", "I-PER")).inside("B-PER")
        'I-PER'
        """
        prefix, label = self.parsed(tag)
        return self._spelt("I", label) if prefix in ("B", "S") else tag

    def _prefix(self, is_first, is_last, follows_its_like):
        if self.name in ("BIOES", "BILOU"):
            last, single = ("E", "S") if self.name == "BIOES" else ("L", "U")
            if is_last:
                return single if is_first else last
            return "B" if is_first else "I"
        if self.name == "IOB1":
            return "B" if is_first and follows_its_like else "I"
        return "B" if is_first else "I"

    def _spelt(self, prefix, label):
        if self.is_plain:
            return label
        order = _ORDERS.get(prefix, prefix + "BISEUL")
        spelt = [p if self.is_bare else f"{p}-{label}" for p in order]
        return next((tag for tag in (*spelt, label) if tag in self.tags), spelt[0])


def _has_prefix(tag):
    return len(tag) > 2 and tag[0] in _PREFIXES and tag[1] == "-"


def _have_prefixes(tags):
    """Whether tags such as E-MAIL are a prefix and a label, and not a label each.

    They are where all tags have a prefix, of which one begins a span (a span of several words ends
    with E- or L- only if it began with B-). Some tags without a prefix do not matter if a label has
    several of the prefixes, one of them B- or I-.
    """
    tags = [tag for tag in tags if tag != OUTSIDE]
    prefixes = {}
    for tag in filter(_has_prefix, tags):
        prefixes.setdefault(tag[2:], set()).add(tag[0])
    if any(len(found) > 1 and found & {"B", "I"} for found in prefixes.values()):
        return True
    letters = set().union(*prefixes.values())
    begins = letters & {"B", "I"} or letters in ({"S"}, {"U"})
    return bool(begins) and all(map(_has_prefix, tags))


def scheme_of_rows(rows: Iterable[Sequence[str]]) -> TagScheme:
    """The scheme of the tags of a file, in which not all tags need to occur."""
    rows = list(rows)
    scheme = TagScheme(tuple(dict.fromkeys(tag for row in rows for tag in row)))
    return dataclasses.replace(scheme, is_iob1=_is_iob1(scheme, rows))


def repaired_tags(scheme: TagScheme, row: Sequence[str]) -> int:
    """How many tags of a row stand for others, since the sequence is broken: I- without B-."""
    if scheme.is_plain:
        return 0
    right = scheme.complete.tags_of(scheme.spans(row), len(row))
    return sum(
        scheme.parsed(tag) != scheme.parsed(other) for tag, other in zip(row, right, strict=True)
    )


def training_tags(labels: Iterable[str], scheme: TagScheme) -> tuple[str, ...]:
    """What a model learns for the labels of spans: `O`, and B- and I- of each label; of plain tags
    these.

    >>> training_tags(["PER", "LOC"], TagScheme(("I-PER",)))
    ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    """
    if scheme.is_bare:
        return (OUTSIDE, "B", "I")
    labels = sorted(labels)
    if scheme.is_plain:
        return (*((OUTSIDE,) if OUTSIDE in scheme.tags else ()), *labels)
    return (OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in "BI"))


def _is_iob1(scheme, rows):
    """Whether spans begin with I-, and B- only parts those of one label."""
    if scheme.name != "BIO":
        return False
    begins_inside = False
    for row in rows:
        before = Tag(OUTSIDE, "")
        for text in row:
            tag = scheme.parsed(text)
            follows = before.prefix != OUTSIDE and before.label == tag.label
            if tag.prefix == "B" and not follows:
                return False
            begins_inside |= tag.prefix == "I" and not follows
            before = tag
    return begins_inside
