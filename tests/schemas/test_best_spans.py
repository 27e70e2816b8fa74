"""The best part of a context, against all of its parts tried."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_roberta.schemas.best_spans import Window, best_spans


def window(logits, offsets):
    return Window(np.array(logits, "float32"), np.array(offsets, "int32"))


@st.composite
def windows(draw):
    """Rows with a few tokens of one context each, as windows of it have."""
    rows = []
    for begin in draw(st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True)):
        tokens = draw(st.integers(0, 5))
        places = [(0, 0)] * 2 + [(3 * i, 3 * i + 2) for i in range(begin, begin + tokens)]
        places += [(0, 0)]
        numbers = st.integers(-40, 40).map(lambda n: n / 8)  # exact in float32
        values = draw(st.lists(numbers, min_size=2 * len(places), max_size=2 * len(places)))
        rows.append(window(np.reshape(values, (-1, 2)), places))
    return rows


def all_parts(rows, longest):
    """Every part with its largest sum of logits, by its place."""
    found = {}
    for logits, offsets in rows:
        for i in range(len(offsets)):
            for j in range(i, min(i + longest, len(offsets))):
                if offsets[i, 1] > offsets[i, 0] and offsets[j, 1] > offsets[j, 0]:
                    place = int(offsets[i, 0]), int(offsets[j, 1])
                    total = float(logits[i, 0]) + float(logits[j, 1])
                    found[place] = max(total, found.get(place, -np.inf))
    return found


@given(windows(), st.integers(1, 4), st.integers(1, 4))
def test_none_is_better(rows, n_best, longest):
    best = best_spans(rows, n_best, longest)
    parts = all_parts(rows, longest)
    expected = sorted(parts.values(), reverse=True)[:n_best]
    found = [
        place for place in zip(best.starts.tolist(), best.ends.tolist(), strict=True) if any(place)
    ]
    assert len(set(found)) == len(found) == len(expected)
    assert [parts[place] for place in found] == pytest.approx(expected)
    none = min(float(logits[0].sum()) for logits, _ in rows)
    if parts:
        assert best.no_answer == pytest.approx(1 / (1 + np.exp(expected[0] - none)))
    else:
        assert best.no_answer == 1.0 and not best.ends.any()


@given(windows(), st.integers(1, 4))
def test_scores_are_products_of_probabilities(rows, longest):
    best = best_spans(rows, 3, longest)
    counted = [
        logits[(offsets[:, 1] > offsets[:, 0]) | (np.arange(len(offsets)) == 0)].astype("float64")
        for logits, offsets in rows
    ]
    sums = np.exp(np.concatenate(counted)).sum(axis=0)
    parts = all_parts(rows, longest)
    for start, end, score in zip(best.starts, best.ends, best.scores, strict=True):
        if end:
            total = parts[int(start), int(end)]
            assert score == pytest.approx(np.exp(total) / sums.prod(), rel=1e-5)
        else:
            assert score == 0.0


def test_a_part_of_two_windows_counts_once():
    first = window([[0, 0], [9, 1], [1, 9]], [(0, 0), (0, 2), (3, 5)])
    second = window([[0, 0], [8, 8]], [(0, 0), (3, 5)])
    best = best_spans([first, second], 3, 30)
    places = list(zip(best.starts.tolist(), best.ends.tolist(), strict=True))
    assert places[:2] == [(0, 5), (3, 5)] and len(set(places)) == 3


def test_large_logits_do_not_overflow():
    best = best_spans([window([[0, 0], [2e3, 2e3]], [(0, 0), (0, 2)])], 1, 30)
    assert best.scores[0] == pytest.approx(1.0) and best.no_answer == 0.0
    best = best_spans([window([[2e3, 2e3], [0, 0]], [(0, 0), (0, 2)])], 1, 30)
    assert best.scores[0] == 0.0 and best.no_answer == 1.0


def test_pieces_of_one_character_leave_room_for_the_next_best():
    pieces = [(0, 1), (0, 1), (0, 1)]
    logits = [[0, 0], [9, 9], [9, 9], [9, 9], [1, 1]]
    best = best_spans([window(logits, [(0, 0), *pieces, (2, 4)])], 2, 2)
    assert list(zip(best.starts.tolist(), best.ends.tolist(), strict=True)) == [(0, 1), (0, 4)]


def test_white_space_alone_counts_but_is_no_answer():
    """An exported file cannot tell such tokens from others."""
    best = best_spans([window([[0, 0], [1, 1], [9, 9]], [(0, 0), (0, 2), (3, 3)])], 3, 30)
    assert list(zip(best.starts.tolist(), best.ends.tolist(), strict=True))[0] == (0, 3)
    sums = 1 + np.exp(1.0) + np.exp(9.0)
    assert best.scores[0] == pytest.approx(np.exp(10.0) / sums**2, rel=1e-5)
    assert not best.scores[2]
