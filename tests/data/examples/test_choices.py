"""Questions with options in every form in which people have them, and what their answers mean."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_roberta.data.examples.choices import (
    answer_number,
    answer_numbers,
    read_choices,
    with_answers,
)
from keras_roberta.data.examples.label_names import LabelError
from keras_roberta.errors import InputError

ASKED = ["Where do fish live?", "Is ice warm?"]
OPTIONS = [["water", "air", "fire"], ["yes", "no"]]
ROWS = list(zip(ASKED, OPTIONS, strict=True))

FORMS = {
    "rows": ROWS,
    "rows of lists": [list(row) for row in ROWS],
    "columns": (ASKED, OPTIONS),
    "dict": {"question": ASKED, "choices": OPTIONS},
    "dict of options": {"question": ASKED, "options": OPTIONS, "id": [1, 2]},
    "list of dicts": [{"question": q, "choices": o} for q, o in ROWS],
    "pandas": pd.DataFrame({"question": ASKED, "choices": OPTIONS}),
    "polars": pl.DataFrame({"question": ASKED, "choices": OPTIONS}),
    "bytes": ([q.encode() for q in ASKED], [[o.encode() for o in row] for row in OPTIONS]),
    "tuples of options": [(q, tuple(o)) for q, o in ROWS],
    "array": (np.array(ASKED), np.array([OPTIONS[0], [*OPTIONS[1], ""]])),
    "keys": {
        "question": ASKED,
        "choices": [{"label": list("ABC"[: len(o)]), "text": o} for o in OPTIONS],
    },
    "stems": [
        {
            "question": {
                "stem": q,
                "choices": [
                    {"label": k, "text": t} for k, t in zip("ABC"[: len(o)], o, strict=True)
                ],
            }
        }
        for q, o in ROWS  # fmt: skip
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    choices = read_choices(FORMS[form])
    assert choices.questions == ASKED and choices.options == OPTIONS
    assert choices.counts.tolist() == [3, 2]
    assert choices.pairs() == ([ASKED[0]] * 3 + [ASKED[1]] * 2, [*OPTIONS[0], *OPTIONS[1]])


@pytest.mark.parametrize("single", [ROWS[0], {"question": ASKED[0], "choices": OPTIONS[0]}])
def test_a_single_question(single):
    assert read_choices(single).options == OPTIONS[:1]


@pytest.mark.parametrize("missing", ["", None, float("nan")])
def test_options_in_columns_may_differ_in_number(missing):
    columns = {f"ending{i}": [OPTIONS[0][i], [*OPTIONS[1], missing][i]] for i in range(3)}
    assert read_choices({"question": ASKED, **columns}).options == OPTIONS
    columns["ending1"] = ["air", missing]
    columns["ending2"] = ["fire", "no"]
    with pytest.raises(LabelError, match="row 1: .*option 1 is"):  # not at the end
        read_choices({"question": ASKED, **columns})


@pytest.mark.parametrize("name", ["question", "sent2"])
def test_a_single_question_has_no_answers_in_its_options(name):
    single = (ASKED[1], OPTIONS[1])
    assert with_answers(single) == (single, None, None)
    assert read_choices({name: ASKED[1], "options": OPTIONS[1]}).questions == [ASKED[1]]


def test_swag():
    """Sentence and the beginning of the next, as Transformers' script for SWAG pairs them."""
    table = {
        "video-id": ["a"],
        "startphrase": ["He sits. He"],
        "sent1": ["He sits."],
        "sent2": ["He"],
        **{f"ending{i}": [f"does {i}."] for i in range(4)},
        "label": ["2"],
    }
    choices = read_choices(table)
    assert choices.pairs() == (["He sits."] * 4, [f"He does {i}." for i in range(4)])
    assert answer_numbers(with_answers(table)[1], choices).tolist() == [2]
    del table["sent1"], table["sent2"]
    assert read_choices(table).pairs() == (["He sits. He"] * 4, [f"does {i}." for i in range(4)])


OTHERS = {
    "COPA": (
        {"premise": ["I fell."] * 2, "choice1": ["a", "c"], "choice2": ["b", "d"],
         "question": ["cause", "effect"], "label": [0, 1]},
        ["What was the cause of this? a", "What was the cause of this? b",
         "What happened as a result? c", "What happened as a result? d"],
    ),
    "a premise and questions": (
        {"premise": ["I fell."], "question": ["Why?"], "options": [["a", "b"]]},
        ["Why? a", "Why? b"],
    ),
    "HellaSwag": (
        {"activity_label": ["Falling"], "ctx_a": ["I"], "ctx_b": ["fell"], "ctx": ["I fell."],
         "endings": [["a", "b"]], "label": ["1"]},
        ["a", "b"],
    ),
    "OpenBookQA": (
        {"question_stem": ["I fell."], "choices": [{"label": ["A", "B"], "text": ["a", "b"]}],
         "answerKey": ["B"]},
        ["a", "b"],
    ),
    "PIQA": ({"goal": ["I fell."], "sol1": ["a"], "sol2": ["b"], "label": [1]}, ["a", "b"]),
    "Cosmos QA": (
        {"context": ["I fell."], "question": ["Why?"], "answer0": ["a"], "answer1": ["b"],
         "label": [1]},
        ["Why? a", "Why? b"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_tables_of_other_data_sets(name):
    table, seconds = OTHERS[name]
    assert read_choices(table).pairs() == (["I fell."] * len(seconds), seconds)
    if name != "a premise and questions":
        assert answer_numbers(with_answers(table)[1], read_choices(table))[-1] == 1


@pytest.mark.parametrize("name", ["passage", "premise", "question_stem", "ctx"])
def test_a_text_that_would_not_be_read(name):
    table = {"context": ["a"], "question": ["b"], "options": [["c", "d"]], name: ["e"]}
    with pytest.raises(
        InputError, match=f"column '{name}' may be a part .*'context' and 'question'"
    ):
        read_choices(table)


@pytest.mark.parametrize(
    ("question", "second"),
    [
        ("Who is he?", "Who is he? Sam"),
        ("He is _ .", "He is Sam ."),
        ("_", "Sam"),
        ("He is ____, is he?", "He is Sam, is he?"),
        ("What is my_var?", "What is my_var? Sam"),
        ("", "Sam"),
    ],
)
def test_an_article_stands_first_and_the_option_in_the_gap(question, second):
    table = {"article": ["Long."], "question": [question], "options": [["Sam", "Tim"]]}
    choices = read_choices(table)
    assert choices.pairs()[0] == ["Long."] * 2 and choices.pairs()[1][0] == second
    if question:  # without an article the question stands as it is
        assert read_choices([(question, ["Sam", "Tim"])]).pairs()[0] == [question] * 2


LABELLED = {
    "pair": ((FORMS["rows"], [0, 1]), [0, 1], None),
    "columns": (((ASKED, OPTIONS), np.array([0, 1]), [1.0, 2.0]), [0, 1], [1.0, 2.0]),
    "triples": ([(*ROWS[0], "A"), (*ROWS[1], "no")], ["A", "no"], None),
    "rows": ([(ROWS[0], 0), (ROWS[1], 1)], [0, 1], None),
    "table": ({**FORMS["dict"], "label": [0, 1], "sample_weight": [1, 2]}, [0, 1], [1, 2]),
    "keys": ({**FORMS["keys"], "answerKey": ["A", "B"]}, ["A", "B"], None),
}


@pytest.mark.parametrize("form", LABELLED)
def test_forms_with_answers(form):
    data, answers, weights = LABELLED[form]
    x, found, found_weights = with_answers(data)
    assert read_choices(x).options == OPTIONS
    assert list(found) == answers and found_weights == weights
    assert answer_numbers(found, read_choices(x)).tolist() == [0, 1]


@pytest.mark.parametrize("form", FORMS)
def test_forms_without_answers(form):
    x, answers, weights = with_answers(FORMS[form])
    assert x is FORMS[form] and answers is None and weights is None


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=6, unique=True))
def test_an_answer_is_found_by_number_and_by_text(options):
    letters = {chr(ord("A") + i) for i in range(6)} | set("0123456789")
    for number, option in enumerate(options):
        assert answer_number(number, options) == number
        if not letters & set(options):
            assert answer_number("ABCDEF"[number], options) == number
            assert answer_number(str(number), options) == number
            assert answer_number(option, options) == number


@pytest.mark.parametrize(
    ("answer", "options", "keys", "number"),
    [
        (1.0, ["a", "b"], (), 1),
        ([1], ["a", "b"], (), 1),
        ("2", ["x", "y", "z"], ("1", "2", "3"), 1),  # as ARC has them
        (2, ["x", "y", "z"], ("1", "2", "3"), 2),  # a number is none of the keys
        ("A", ["B", "A"], ("B", "A"), 1),
        ("3", ["2", "3"], (), 1),
    ],
)
def test_what_an_answer_means(answer, options, keys, number):
    assert answer_number(answer, options, keys) == number


@pytest.mark.parametrize(
    ("answer", "options", "keys", "message"),
    [
        ("c", ["a", "b"], (), r"answer 'c' is none of the options \('a', 'b'\)"),
        ("C", ["a", "b"], (), "answer 'C' is none"),
        ("", ["a", "b"], (), "answer '' is none"),
        ("E", ["a", "b"], ("A", "B"), "answer 'E' is none"),
        ("1", ["1", "2"], (), "answer '1' could mean '1' or '2'; give its number"),
        ("B", ["B", "A"], (), "could mean 'B' or 'A'"),
        ("a", ["a", "a"], (), "could mean"),
        (2, ["a", "b"], (), r"answer 2 is outside 0\.\.1"),
        (-1, ["a", "b"], (), "answer -1 is outside"),
        (0.5, ["a", "b"], (), "a number, a letter or an option's text; got 0.5"),
        (True, ["a", "b"], (), "got True"),
        (None, ["a", "b"], (), "got None"),
    ],
)
def test_what_is_no_answer(answer, options, keys, message):
    with pytest.raises(InputError, match=message):
        answer_number(answer, options, keys)
    choices = read_choices({"question": ["x", "x"], "choices": [options, options]})
    if not keys:
        with pytest.raises(LabelError, match=f"row 1: .*{message}"):
            answer_numbers([0, answer], choices)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("q", []), "row 1: has 0 options; give two or more"),
        (("q", ["a"]), "row 1: has 1 option; give two or more"),
        (("q", ["a", ""]), "row 1: option 1 is empty"),
        (("q", ["a", " "]), "row 1: option 1 is empty"),
        (("q", ["a", 3]), r"row 1: option 1 is no text \(3\)"),
        (("q", None), "row 1: there are no options"),
        (("q", "ab"), "row 1: there are no options"),
        ((3, ["a", "b"]), "row 1: the question is no text, but 3"),
        ((" ", ["a", "b"]), "row 1: the question is empty"),
        (("q", {"text": ["a", "b"], "label": ["A"]}), "row 1: 2 options, but 1 labels"),
        (("q", {"label": ["A"]}), "row 1: there are no options"),
    ],
)
def test_what_is_no_question(row, message):
    with pytest.raises(LabelError, match=message):
        read_choices([ROWS[0], row])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (ASKED, "expected questions with options"),
        ([("a", ["b", "c"], "d", "e")], "expected questions with options"),
        ({"text": ASKED}, "found 'text'"),
        ({"question": ASKED, "choices": OPTIONS[:1]}, "2 questions, but 1 lists of options"),
        ([], "expected questions with options"),
        ({"question": [], "choices": []}, "there are no questions"),
    ],
)
def test_what_is_no_such_form(x, message):
    with pytest.raises(InputError, match=message):
        read_choices(x)


def test_another_number_of_answers():
    with pytest.raises(InputError, match="2 questions, but 3 labels"):
        answer_numbers([0, 0, 0], read_choices(ROWS))
