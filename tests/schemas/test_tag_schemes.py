"""Tags and spans: the schemes of the field, read as conlleval and seqeval read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_roberta.schemas.tag_schemes import (
    Span,
    TagScheme,
    repaired_tags,
    scheme_of_rows,
    training_tags,
)

BIO = TagScheme(("O", "B-PER", "I-PER", "B-LOC", "I-LOC"))
ROWS = {  # tags, and the spans that seqeval 1.2.2's get_entities finds in them
    "O B-PER I-PER O B-LOC": [(1, 3, "PER"), (4, 5, "LOC")],
    "B-PER B-PER": [(0, 1, "PER"), (1, 2, "PER")],
    "I-PER I-PER I-LOC O": [(0, 2, "PER"), (2, 3, "LOC")],
    "O I-PER B-PER I-LOC": [(1, 2, "PER"), (2, 3, "PER"), (3, 4, "LOC")],
    "B-PER I-LOC I-LOC": [(0, 1, "PER"), (1, 3, "LOC")],
    "B-PER I-PER E-PER S-PER O S-LOC": [(0, 3, "PER"), (3, 4, "PER"), (5, 6, "LOC")],
    "B-PER O E-PER I-PER": [(0, 1, "PER"), (2, 3, "PER"), (3, 4, "PER")],
    "S-PER I-PER E-PER": [(0, 1, "PER"), (1, 3, "PER")],
    "B-PER E-PER E-PER": [(0, 2, "PER"), (2, 3, "PER")],
    "O O": [],
    "": [],
}


@pytest.mark.parametrize("tags", ROWS)
def test_spans_are_those_of_seqeval(tags):
    assert BIO.spans(tags.split()) == [Span(*span) for span in ROWS[tags]]


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ("O B-PER I-PER", "BIO"),
        ("O I-PER", "IOB1"),
        ("B-PER E-PER", "BIOES"),
        ("O U-PER B-PER L-PER", "BILOU"),
        ("O PER LOC", "IO"),
        ("NOUN VERB", "IO"),
        ("O B I", "BIO"),
        ("O B-A I-A SEP", "BIO"),
        ("O B-A I-A LOC US", "BIO"),
        ("O S-PER S-LOC", "BIOES"),
        ("O U-PER", "BILOU"),
        ("O E-MAIL PHONE", "IO"),
        ("O E-MAIL", "IO"),  # a span that ends has begun
        ("O S-BAHN U-BAHN", "IO"),  # of no one scheme
        ("U-BOAT SHIP", "IO"),
        ("O B-SIDE A-SIDE", "IO"),
    ],
)
def test_schemes_by_their_prefixes(tags, name):
    assert TagScheme(tuple(tags.split())).name == name


@pytest.mark.parametrize(
    ("tags", "labels"),
    [
        ("O S-BAHN U-BAHN", ("S-BAHN", "U-BAHN")),
        ("O S-BAHN S-TRAM", ("BAHN", "TRAM")),  # as words of BIOES that are spans
        ("B-PER I-PER O E-MAIL", ("PER", "MAIL")),  # as a span of BIOES that ends
    ],
)
def test_labels_that_may_be_prefixes(tags, labels):
    """The cases that the guide of tasks and decision 090 name."""
    assert TagScheme(tuple(tags.split())).labels == labels


def test_iob1_is_told_by_its_b():
    """B- stands there only between spans of one label."""
    rows = [["I-PER", "B-PER", "O", "I-LOC"]]
    assert scheme_of_rows(rows).name == "IOB1" and repaired_tags(scheme_of_rows(rows), rows[0]) == 0
    rows = [["I-PER", "O", "B-LOC"]]
    assert scheme_of_rows(rows).name == "BIO" and repaired_tags(scheme_of_rows(rows), rows[0]) == 1


@pytest.mark.parametrize(
    ("tags", "count"),
    [
        ("B-PER I-PER O", 0),
        ("O I-PER I-PER", 1),
        ("B-LOC I-PER I-PER O I-LOC", 2),
        ("B-PER E-PER S-LOC", 0),
        ("B-PER O I-LOC I-LOC", 3),  # S-PER, and B-LOC and E-LOC
    ],
)
def test_broken_sequences_are_counted(tags, count):
    scheme = BIO if "E-" not in tags and count != 3 else TagScheme((*BIO.tags, "E-PER", "S-LOC"))
    assert repaired_tags(scheme, tags.split()) == count


def test_plain_tags():
    """Neighbours of one label are one span, but where every word has a label of its own."""
    assert TagScheme(("O", "PER")).spans(["PER", "PER", "O"]) == [Span(0, 2, "PER")]
    speech = TagScheme(("NOUN", "VERB"))
    assert speech.spans(["NOUN", "NOUN"]) == [Span(0, 1, "NOUN"), Span(1, 2, "NOUN")]
    assert training_tags(speech.labels, speech) == ("NOUN", "VERB")
    bare = TagScheme(("B", "I", "O"))
    assert bare.spans(["B", "I", "O", "B"]) == [Span(0, 2, "_"), Span(3, 4, "_")]
    assert bare.tags_of([Span(0, 2, "_")], 3) == ["B", "I", "O"]


@pytest.mark.parametrize("labels", [("E-MAIL", "PHONE"), ("BOAT", "U-BOAT"), ("S-BAHN", "U-BAHN")])
def test_labels_that_look_as_if_they_had_a_prefix(labels):
    scheme = scheme_of_rows([["O", *labels, labels[0]]])
    assert scheme.labels == labels
    assert training_tags(labels, scheme) == ("O", *labels)
    spans = [Span(0, 2, labels[0]), Span(3, 4, labels[1])]
    tags = [labels[0], labels[0], "O", labels[1]]
    assert scheme.spans(tags) == spans and scheme.tags_of(spans, 4) == tags
    assert repaired_tags(scheme, tags) == 0


def test_tags_with_dashes_in_their_labels():
    assert TagScheme(("O", "B-creative-work")).labels == ("creative-work",)


SCHEMES = {
    "BIO": BIO,
    "BIOES": TagScheme(("O", *(f"{p}-{x}" for x in ("PER", "LOC") for p in "BIES"))),
    "BILOU": TagScheme(("O", *(f"{p}-{x}" for x in ("PER", "LOC") for p in "BILU"))),
    "IOB1": TagScheme(BIO.tags, is_iob1=True),
}


@given(
    st.sampled_from(sorted(SCHEMES)),
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from(["PER", "LOC"]))),
)
def test_tags_and_back(name, parts):
    spans, end = [], 0
    for gap, length, label in parts:
        spans.append(Span(end + gap, end + gap + length, label))
        end = spans[-1].end
    scheme = SCHEMES[name]
    tags = scheme.tags_of(spans, end + 1)
    assert scheme.spans(tags) == spans and repaired_tags(scheme, tags) == 0
    assert set(tags) <= set(scheme.tags)


@pytest.mark.parametrize(
    ("known", "tags"),
    [
        ("O B-A", "B-A B-A B-A"),  # where all spans of a file are of one word
        ("O B-A I-A S-B", "B-A I-A I-A"),
        ("O B-A E-A", "B-A E-A E-A"),
        ("O B-A I-A U-B", "B-A I-A I-A"),
        ("O B-A I-A SEP", "B-A I-A I-A"),
        ("O B-B A", "A A A"),
    ],
)
def test_a_missing_tag_is_replaced(known, tags):
    """Best by one that goes on with the span."""
    assert TagScheme(tuple(known.split())).tags_of([Span(0, 3, "A")], 3) == tags.split()


def test_tags_with_prefixes_of_a_task_without():
    """They mark the same spans, of which the task has the labels."""
    scheme = TagScheme(("O", "PER", "LOC"))
    row = "B-PER I-PER O S-LOC".split()
    assert scheme.spans(row) == [Span(0, 2, "PER"), Span(3, 4, "LOC")]
    assert scheme.tags_of(scheme.spans(row), 4) == ["PER", "PER", "O", "LOC"]
