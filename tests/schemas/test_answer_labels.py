"""Right answers in the forms that they come in."""

import numpy as np
import pytest

from keras_roberta.errors import InputError
from keras_roberta.schemas.answer_labels import Reference, check_in_context, references

SAM = Reference(3, 6, "Sam")


@pytest.mark.parametrize(
    "label",
    [
        {"text": "Sam", "answer_start": 3},
        {"text": ["Sam"], "answer_start": [3]},
        {"text": np.array(["Sam"]), "answer_start": np.array([3])},
        [{"text": "Sam", "answer_start": 3}],
        [SAM],
        (SAM,),
        SAM,
    ],
)
def test_forms_of_one_answer(label):
    assert references([label])[0] == (SAM,)
    again = references(references([label, None]))  # what it gives it also takes
    assert again.tolist() == [(SAM,), ()]


@pytest.mark.parametrize("labels", [[(3, 6), [0, 2]], np.array([[3, 6], [0, 2]])])
def test_pairs(labels):
    assert references(labels).tolist() == [(Reference(3, 6),), (Reference(0, 2),)]


def test_several_answers_and_none():
    labels = [
        {"text": ["Sam", "Sa"], "answer_start": [3, 3]},
        [(3, 6), (3, 5)],
        {"text": [], "answer_start": []},
        [],
        None,
    ]
    assert [len(row) for row in references(labels)] == [2, 2, 0, 0, 0]


def test_columns():
    columns = {"text": [b"Sam", "b"], "answer_start": np.array([3, 0])}
    assert references(columns).tolist() == [(SAM,), (Reference(0, 1, "b"),)]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("Sam", "row 1: an answer is"),
        (7, "row 1: an answer is"),
        ({"text": "Sam"}, "row 1: an answer is"),
        ({"text": "Sam", "answer_start": "3"}, "row 1: an answer is"),
        ({"text": 3, "answer_start": 3}, "row 1: an answer is"),
        ({"text": ["Sam"], "answer_start": 3}, "row 1: an answer is"),
        ({"text": "", "answer_start": 3}, "row 1: an answer is empty"),
        ({"text": "Sam", "answer_start": -1}, "answer_start -1"),
        ({"text": ["Sam"], "answer_start": [3, 4]}, "1 texts of answers, but 2 of"),
        ((6, 3), "row 1: an answer from 6 to 3 is no part of a text"),
        ([(3, 6), "Sam"], "row 1: an answer is"),
    ],
)
def test_what_is_no_answer(label, message):
    with pytest.raises(InputError, match=message):
        references([None, label])


def test_in_the_context():
    check_in_context(SAM, "is Sam there?")
    check_in_context(Reference(3, 6), "is Sam there?")
    with pytest.raises(InputError, match="'Sam' at 3 is not in the context there, which has 'Tom'"):
        check_in_context(SAM, "is Tom there?")
    with pytest.raises(InputError, match="ends behind the context, which has 5 characters"):
        check_in_context(SAM, "is Sa")
