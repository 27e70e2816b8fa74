"""Exact match and F1 against the figures of SQuAD's official scripts.

tests/golden/squad_scores.json holds answers and references made of a few words at random, and what
evaluate-v1.1.py and evaluate-v2.0.py print for them.
"""

import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_roberta.schemas.squad_scores import exact_match, normalized, squad_scores, token_f1

GOLDEN = json.loads(
    (pathlib.Path(__file__).parents[1] / "golden/squad_scores.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_as_the_official_script(version):
    case = GOLDEN[version]
    scores = squad_scores(case["answers"], case["references"])
    found = scores.means() | scores.by_kind()
    if version == "2.0":
        found |= scores.best(case["no_answer"]) | {"total": len(case["answers"])}
    assert found == pytest.approx(case["expected"])


def test_a_threshold_takes_answers_back_as_the_official_script_does():
    case = GOLDEN["2.0"]
    scores = squad_scores(case["answers"], case["references"]).at_threshold(case["no_answer"], 0.5)
    expected = case["expected at 0.5"]
    found = scores.means() | scores.by_kind()
    assert found == pytest.approx({name: expected[name] for name in found})
    assert set(found) > {"exact", "HasAns_f1", "NoAns_exact"}


@pytest.mark.parametrize(
    ("answer", "reference", "exact", "f1"),
    [
        ("Nuuk", "the NUUK!", True, 1.0),
        ("in Nuuk", "Nuuk", False, 2 / 3),
        ("co-op", "coop", True, 1.0),
        ("another", "other", False, 0.0),  # "an" is part of the word
        ("a b b", "b b b", False, 2 * (2 / 2) * (2 / 3) / (2 / 2 + 2 / 3)),
        ("", "Nuuk", False, 0.0),
    ],
)
def test_by_hand(answer, reference, exact, f1):
    assert exact_match(answer, reference) is exact
    assert token_f1(answer, reference) == pytest.approx(f1)


def test_texts_of_articles_alone_are_alike_in_version_2():
    assert token_f1("the", "a!", of_version_2=False) == 0.0
    assert token_f1("the", "a!", of_version_2=True) == 1.0


def test_without_unanswerable_questions_there_are_no_kinds():
    assert squad_scores(["a b"], [["b"]]).by_kind() == {}


@given(st.text("aTheb .-", max_size=12), st.text("aTheb .-", max_size=12))
def test_f1_does_not_depend_on_the_order(one, other):
    f1 = token_f1(one, other)
    assert f1 == pytest.approx(token_f1(other, one)) and 0 <= f1 <= 1
    assert (f1 == 1.0) >= exact_match(one, other)
    assert normalized(normalized(one)) == normalized(one)


@given(st.data())
def test_no_threshold_is_better_than_the_best(data):
    rows = data.draw(st.integers(1, 6))
    words = st.sampled_from(["", "x", "y"])
    answers = data.draw(st.lists(words, min_size=rows, max_size=rows))
    right = st.lists(st.sampled_from(["x", "y"]), max_size=2)
    references = data.draw(st.lists(right, min_size=rows, max_size=rows))
    tenths = st.integers(1, 9).map(lambda n: n / 10)  # different ones, which a threshold can part
    unlikely = data.draw(st.lists(tenths, min_size=rows, max_size=rows, unique=True))
    scores = squad_scores(answers, references)
    best = scores.best(unlikely)
    for threshold in (0.0, *unlikely):
        means = scores.at_threshold(unlikely, threshold).means()
        assert means["f1"] <= best["best_f1"] + 1e-9
        assert means["exact"] <= best["best_exact"] + 1e-9
    chosen = scores.at_threshold(unlikely, best["best_f1_thresh"]).means()
    assert chosen["f1"] == pytest.approx(best["best_f1"])
