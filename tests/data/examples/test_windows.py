"""Long texts cut into rows, and outputs of rows put together again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_roberta.data.examples.windows import cut_windows
from keras_roberta.errors import InputError
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout

ROBERTA = SpecialTokenLayout.roberta(0, 2)


def cut(texts, **arguments):
    return cut_windows(texts, layout=ROBERTA, **arguments)


def rows_of(windows):
    return [windows.token_ids.row(row).tolist() for row in range(len(windows))]


def test_windows_share_the_stride():
    windows = cut([[10, 11, 12, 13, 14, 15, 16], [], [20]], max_length=6, stride=2)
    assert rows_of(windows) == [
        [0, 10, 11, 12, 13, 2],
        [0, 12, 13, 14, 15, 2],
        [0, 14, 15, 16, 2],
        [0, 2],
        [0, 20, 2],
    ]
    assert windows.texts.tolist() == [0, 0, 0, 1, 2]
    assert windows.begins.tolist() == [0, 2, 4, 0, 0]
    assert windows.rows_per_text.tolist() == [3, 1, 1]


def test_a_question_stands_in_front_of_every_window():
    windows = cut([[10, 11, 12, 13]], fronts=[[7, 8]], max_length=9, stride=1)
    assert rows_of(windows) == [
        [0, 7, 8, 2, 2, 10, 11, 12, 2],
        [0, 7, 8, 2, 2, 12, 13, 2],
    ]
    assert windows.places.tolist() == [5, 5]
    spread = windows.spread([np.array([1, 2, 3, 4])], fill=-1)
    assert spread.row(1).tolist() == [-1] * 5 + [3, 4, -1]


def test_a_long_question_leaves_room_for_a_token_at_least():
    """The stride is then shorter."""
    windows = cut([[10, 11, 12]], fronts=[[7] * 4], max_length=10, stride=5)
    assert [row[7:-1] for row in rows_of(windows)] == [[10, 11], [11, 12]]
    windows = cut([[10, 11], []], fronts=[[7] * 5, [7]], max_length=10, stride=5)
    assert [row[8:-1] for row in rows_of(windows)] == [[10], [11], []]
    message = "row 1: the question has 6 tokens, .* 10 there is room for 5 .*sequence_length"
    with pytest.raises(InputError, match=message):
        cut([[10], [10]], fronts=[[7], [7] * 6], max_length=10, stride=0)


def test_the_window_with_most_context_counts():
    """As in the comment of Google's run_squad.py: "the man went to the store and bought a gallon
    of milk", in windows of five words of which every third begins one."""
    windows = cut([list(range(10, 22))], max_length=7, stride=2)
    assert windows.begins.tolist() == [0, 3, 6, 9]
    most = windows.most_context()
    kept = [
        (windows.token_ids.row(row)[most.row(row)] - 10).tolist() for row in range(len(windows))
    ]
    # 3 is second to last in the first window (one word behind), first in the second (none in
    # front); 4 last in the first, second in the second.
    assert kept == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=4),
    st.integers(5, 20),
    st.integers(0, 12),
    st.booleans(),
)
def test_joined_outputs_are_those_of_the_whole_text(lengths, max_length, stride, as_pairs):
    """Of a model whose output is the token itself."""
    texts = [list(range(100, 100 + n)) for n in lengths]
    fronts = [[7] for _ in texts] if as_pairs else None
    max_length += 4 * as_pairs
    windows = cut(texts, fronts=fronts, max_length=max_length, stride=stride)
    assert windows.token_ids.lengths.max() <= max_length
    outputs = [windows.token_ids.row(row)[:, None] * [1, 2] for row in range(len(windows))]
    before = [0, 7, 2, 2] if as_pairs else [0]
    for found, text in zip(windows.joined(outputs), texts, strict=True):
        assert found.tolist() == [[i, 2 * i] for i in [*before, *text, 2]]
    most = windows.most_context()
    assert int(most.values.sum()) == sum(lengths)
    spread = windows.spread([np.array(text, np.int64) for text in texts], fill=-1)
    inside = spread.values >= 0
    assert (spread.values[inside] == windows.token_ids.values[inside]).all()
    assert int(inside.sum()) == int(windows.counts.sum())


def test_windows_are_those_of_transformers():
    """Hugging Face's fast tokenizers: rows of `max_length` with `return_overflowing_tokens`."""
    windows = cut([list(range(10, 19))], max_length=6, stride=1)
    assert [row[1:-1] for row in rows_of(windows)] == [
        [10, 11, 12, 13],
        [13, 14, 15, 16],
        [16, 17, 18],
    ]


def test_rows_without_room():
    with pytest.raises(InputError, match="rows of 2 tokens have no room"):
        cut([[5]], max_length=2, stride=0)
