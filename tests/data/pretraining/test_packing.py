"""Whatever the documents: no token lost or doubled, no sentence broken, rows that fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_roberta.data.pretraining.packing import PACKINGS, PAIRS, pack, used_tokens

ROW = 24
documents = st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=12), min_size=1, max_size=40)


def rows_of(lengths, packing, row_length=ROW):
    """Rows as lists of (document, first token, token behind the last)."""
    counts = np.array([len(document) for document in lengths])
    plan = pack(counts, np.concatenate(lengths), packing, row_length)
    segments = list(
        zip(plan.document.tolist(), plan.start.tolist(), plan.length.tolist(), strict=True)
    )
    rows = [segments[a:b] for a, b in zip(plan.first, plan.first[1:], strict=False)]
    return plan, [[(d, s, s + n) for d, s, n in row] for row in rows]


# Sentences by document: two of them are longer than half a row, the second one than two rows.
SENTENCES = [[4], [5], [3, 30], [1, 1, 1]]
PIECES = [[(2, 3, 13)], [(2, 13, 23)], [(2, 23, 33)]]
HALVES = [
    [(0, 0, 4)],
    [(1, 0, 4), (1, 4, 5)],
    [(2, 0, 3), (2, 3, 7)],
    *([(2, t, t + 4), (2, t + 4, t + 8)] for t in (7, 15, 23)),
    [(2, 31, 33)],
]


@pytest.mark.parametrize(
    ("packing", "expected", "used"),
    [
        (
            "full-sentences",
            [[(0, 0, 4), (1, 0, 5)], [(2, 0, 3)], *PIECES, [(3, 0, 3)]],
            6 + 7 + 45,
        ),
        (
            "block-diagonal",
            [[(0, 0, 4)], [(1, 0, 5), (2, 0, 3)], *PIECES, [(3, 0, 3)]],
            7 * 2 + 45,
        ),
        (
            "doc-sentences",
            [[(0, 0, 4)], [(1, 0, 5)], [(2, 0, 3)], *PIECES, [(3, 0, 3)]],
            7 + 7 + 45,
        ),
        ("segment-pair", [*HALVES, [(3, 0, 1), (3, 1, 3)]], 14 * 2 + 45),
        ("sentence-pair", [*HALVES, [(3, 0, 1), (3, 1, 2)], [(3, 2, 3)]], 15 * 2 + 45),
    ],
)
def test_rows_of_twelve_tokens_by_hand(packing, expected, used):
    plan, rows = rows_of(SENTENCES, packing, row_length=12)
    assert rows == expected
    assert (plan.num_rows, used_tokens(plan, packing)) == (len(expected), used)


def test_what_just_fits_is_taken():
    lengths = [[4, 6], [1, 3, 2]]
    assert rows_of(lengths, "doc-sentences", 12)[1] == [[(0, 0, 10)], [(1, 0, 6)]]
    expected = [[(0, 0, 4), (0, 4, 8)], [(0, 8, 10)], [(1, 0, 4), (1, 4, 6)]]
    for row_length in (12, 13):  # of an odd row one token is over
        assert rows_of(lengths, "segment-pair", row_length)[1] == expected


@settings(max_examples=60, deadline=None)
@given(documents, st.sampled_from(PACKINGS))
def test_every_token_is_in_one_row_and_sentences_stay_whole(lengths, packing):
    check_rows(lengths, packing)


@pytest.mark.parametrize("packing", PACKINGS)
def test_of_many_sentences_none_is_lost_or_doubled(packing):
    """So many that rows are filled from several places at once, and the same ones in every run."""
    random = np.random.default_rng(0)
    check_rows(
        [random.integers(1, 40, random.integers(1, 9)).tolist() for _ in range(150)], packing
    )


def check_rows(lengths, packing):
    plan, rows = rows_of(lengths, packing)
    limit = ROW - 2 if packing not in PAIRS else (ROW - 4) // 2
    tokens = [(d, t) for row in rows for d, begin, end in row for t in range(begin, end)]
    assert sorted(tokens) == [(d, t) for d, s in enumerate(lengths) for t in range(sum(s))]
    ends = [set(np.cumsum(document).tolist()) | {0} for document in lengths]
    for row in rows:
        for document, begin, end in row:
            for edge in (begin, end):
                if edge not in ends[document]:  # Only inside a sentence longer than a row.
                    sentence_end = min(e for e in ends[document] if e > edge)
                    sentence_begin = max(e for e in ends[document] if e < edge)
                    assert sentence_end - sentence_begin > limit
                    assert (edge - sentence_begin) % limit == 0
    used = used_tokens(plan, packing)
    assert sum(specials_and_text(row, packing) for row in rows) == used
    assert all(specials_and_text(row, packing) <= ROW for row in rows)


def specials_and_text(row, packing):
    text = sum(end - begin for _, begin, end in row)
    if packing in ("full-sentences", "doc-sentences"):
        return 1 + len(row) + text
    return 2 * len(row) + text


@settings(max_examples=40, deadline=None)
@given(documents, st.sampled_from(("doc-sentences", *PAIRS)))
def test_packings_within_documents(lengths, packing):
    for row in rows_of(lengths, packing)[1]:
        assert len({document for document, *_ in row}) == 1
        assert len(row) == 1 or packing in PAIRS
        if len(row) == 2:  # the second goes on where the first stops
            assert row[0][2] == row[1][1]


def test_pairs_are_made_wherever_there_are_two_sentences():
    lengths = [[3, 3], [3], [4, 4, 4], [9, 9, 9]]
    rows = rows_of(lengths, "segment-pair")[1]
    assert [len(row) for row in rows if row[0][0] == 0] == [2]
    assert [len(row) for row in rows if row[0][0] == 1] == [1]
    assert [len(row) for row in rows_of(lengths, "sentence-pair")[1]] == [2, 1, 2, 1, 2, 1]


@pytest.mark.parametrize("packing", ["full-sentences", "block-diagonal"])
@pytest.mark.parametrize("row_length", [128, 512])
@pytest.mark.parametrize("sentences", [1, 100])
def test_padding_of_packed_rows_is_under_two_percent(packing, row_length, sentences):
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(3.2, 0.7, 20_000).astype(int), 1, 400)
    counts = np.full(20_000 // sentences, sentences)
    plan = pack(counts, lengths, packing, row_length)
    assert 1 - used_tokens(plan, packing) / (plan.num_rows * row_length) < 0.02


def test_rows_hold_connected_text():
    plan, rows = rows_of([[10] * 2000, [11] * 2000], "full-sentences", 128)
    assert np.median([len(row) for row in rows]) <= 2
