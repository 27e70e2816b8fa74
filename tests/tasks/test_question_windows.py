"""Features of questions and contexts against Transformers' preprocessing.

`tests/golden/questions` holds what its tokenizer and the labels of its `run_qa.py` are.
"""

import json
import pathlib

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keras_roberta.data.examples.question_forms import questions_and_contexts
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.schemas.answer_labels import references
from keras_roberta.tasks.question_windows import question_windows, span_targets
from keras_roberta.tokenizers import open_tokenizer

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
FEATURES = json.loads((GOLDEN / "questions/features.json").read_text(encoding="utf-8"))
CONTEXTS = FEATURES["contexts"]
QUESTIONS = [question for _, question, _ in FEATURES["questions"]]
OF_QUESTIONS = [CONTEXTS[number] for number, *_ in FEATURES["questions"]]
ANSWERS = references(
    [
        None if text is None else {"text": text, "answer_start": CONTEXTS[number].index(text)}
        for number, _, text in FEATURES["questions"]
    ]
)


@pytest.fixture(scope="module")
def golden_tokenizer():
    return open_tokenizer(GOLDEN / "tiny-tokenizer")


@pytest.mark.parametrize("call", range(len(FEATURES["calls"])))
def test_as_transformers(golden_tokenizer, call):
    expected = FEATURES["calls"][call]
    windows, offsets = question_windows(
        golden_tokenizer, QUESTIONS, OF_QUESTIONS, **expected["call"]
    )
    rows = expected["rows"]
    assert windows.texts.tolist() == [row["question"] for row in rows]
    of_rows = windows.spread(offsets)
    targets = span_targets(windows, offsets, OF_QUESTIONS, ANSWERS)
    for i, row in enumerate(rows):
        assert windows.token_ids.row(i).tolist() == row["token_ids"]
        assert of_rows.row(i).tolist() == row["offsets"]
        # Several pieces of a character have one place.
        found, labels = (of_rows.row(i)[tokens] for tokens in (targets[i], row["labels"]))
        assert [found[0, 0], found[1, 1]] == [labels[0, 0], labels[1, 1]]
        if len({tuple(place) for place in row["offsets"] if any(place)}) == windows.counts[i]:
            assert targets[i].tolist() == row["labels"]
    assert len({tuple(row) for row in targets.tolist()}) > 5  # there is something to find


@given(st.data())
def test_an_answer_stands_where_its_row_says(golden_tokenizer, data):
    context = data.draw(st.text("the cat,\nü日", min_size=1, max_size=30))
    start = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(start + 1, len(context)))
    assume(context[start:end].strip())
    windows, offsets = question_windows(
        golden_tokenizer, ["cat"], [context], max_length=16, stride=4
    )
    answers = references([(start, end)])
    targets = span_targets(windows, offsets, [context], answers)
    places = windows.spread(offsets)
    for row, (first, last) in enumerate(targets.tolist()):
        if (first, last) == (0, 0):
            continue
        # White space in front of a token belongs to none.
        begin, behind = places.row(row)[first, 0], places.row(row)[last, 1]
        assert first <= last and not context[behind:end].strip()
        assert begin <= start or not context[start:begin].strip()


def test_no_label_is_a_token_of_white_space_alone(golden_tokenizer):
    contexts = ["It was 가나 here", "the  cat  sat", "the cat sat"]
    answers = references([(7, 9), (3, 10), (3, 8)])  # the others with white space at both ends
    windows, offsets = question_windows(
        golden_tokenizer, ["?"] * 3, contexts, max_length=64, stride=0
    )
    targets = span_targets(windows, offsets, contexts, answers)
    places = windows.spread(offsets)
    found = []
    for row, (first, last) in enumerate(targets.tolist()):
        of_row = places.row(row)
        assert np.all(of_row[[first, last], 1] > of_row[[first, last], 0])
        found.append(contexts[row][of_row[first, 0] : of_row[last, 1]])
    assert found == ["가나", "cat", "cat"]


def test_white_space_in_front_of_a_question():
    questions, contexts = questions_and_contexts([(" " * 25000 + "What? ", " a"), ("b", "c")])
    assert (questions, contexts) == (["What? ", "b"], [" a", "c"])


def test_two_surrogates_are_a_character():
    assert questions_and_contexts(("\ud83d\ude00?", "a \ud83d\ude00")) == (["😀?"], ["a 😀"])


def test_a_question_that_leaves_no_room(golden_tokenizer):
    questions = ["Who?", "Who sat on the mat and on the other mat?"]
    with pytest.raises(InputError, match="row 1: the question has .* tokens, and in rows of 24"):
        question_windows(golden_tokenizer, questions, ["a", "b"], max_length=24, stride=0)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"text": "cat", "answer_start": 0}, "row 1: the answer 'cat' at 0 .* it is at 4"),
        ({"text": "dog", "answer_start": 4}, "row 1: the answer 'dog' at 4 is not in the context"),
        ((3, 4), "row 1: the answer .3, 4. is white space alone; leave it out"),
        ((4, 40), "row 1: the answer .4, 40. ends behind the context, which has 7 characters"),
    ],
)
def test_answers_that_are_not_in_the_context(golden_tokenizer, answer, message):
    contexts = ["the mat", "the cat"]
    windows, offsets = question_windows(
        golden_tokenizer, ["a", "b"], contexts, max_length=32, stride=0
    )
    with pytest.raises(InputError, match=message):
        span_targets(windows, offsets, contexts, references([None, answer]))


def test_labels_of_another_number(golden_tokenizer):
    windows, offsets = question_windows(golden_tokenizer, ["a"], ["b"], max_length=32, stride=0)
    with pytest.raises(InputError, match="1 texts, but 2 labels"):
        span_targets(windows, offsets, ["b"], references([None, None]))


def test_real_contexts_are_learnt_whole(data_directory):
    """Each answer stands in at least one window, and what a row names is that answer."""
    tokenizer = open_tokenizer(data_directory / "granite-30m")
    table = read_table(data_directory / "xquad/xquad.en.json").head(100)
    contexts, answers = table.texts("context"), references(table.column("answers"))
    windows, offsets = question_windows(
        tokenizer, table.texts("question"), contexts, max_length=128, stride=48
    )
    targets = span_targets(windows, offsets, contexts, answers)
    places = windows.spread(offsets)
    found = set()
    for row, (first, last) in enumerate(targets.tolist()):
        if last:
            text = int(windows.texts[row])
            begin, end = places.row(row)[first, 0], places.row(row)[last, 1]
            assert answers[text][0].text in contexts[text][begin:end]
            found.add(text)
    assert found == set(range(100))
    assert np.mean(windows.rows_per_text) > 1.5
