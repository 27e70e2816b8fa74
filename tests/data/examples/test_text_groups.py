"""Single texts, pairs and pairs with negatives, in every form that they come in."""

import numpy as np
import pandas as pd
import pytest

from keras_roberta.data.examples.text_groups import text_groups
from keras_roberta.errors import InputError

A, B, C, S, W = ["a", "b"], ["c", "d"], ["e", "f"], [0.5, 1.0], [1, 2]
ROWS = list(zip(A, B, strict=True))
TABLE = {"text": A, "text_pair": B}

# arguments, columns, scores, weights
FORMS = {
    "texts": ((A,), [A], None, None),
    "one text": (("a",), [["a"]], None, None),
    "array": ((np.array(A),), [A], None, None),
    "column": ((pd.Series(A),), [A], None, None),
    "text with scores": (((A, S),), [A], S, None),
    "columns": (((A, B),), [A, B], None, None),
    "arrays": (((np.array(A), np.array(B)),), [A, B], None, None),
    "rows": ((ROWS,), [A, B], None, None),
    "lists as rows": (([list(row) for row in ROWS],), [A, B], None, None),
    "matrix": ((np.array(ROWS),), [A, B], None, None),
    "y apart": ((ROWS, S), [A, B], S, None),
    "all apart": (((A, B), S, W), [A, B], S, W),
    "pair and scores": ((((A, B), S),), [A, B], S, None),
    "in rows": (([(*row, s) for row, s in zip(ROWS, S, strict=True)],), [A, B], S, None),
    "nested rows": ((list(zip(ROWS, S, strict=True)),), [A, B], S, None),
    "seconds as y": ((A, B), [A, B], None, None),
    "thirds as weights": ((A, B, C), [A, B, C], None, None),
    "triples": ((list(zip(A, B, C, strict=True)),), [A, B, C], None, None),
    "triple of columns": (((A, B, C),), [A, B, C], None, None),
    "table": ((TABLE,), [A, B], None, None),
    "table of scores": ((TABLE | {"score": S, "sample_weight": W},), [A, B], S, W),
    "table of labels": ((TABLE | {"label": S},), [A, B], S, None),
    "table of weights": ((TABLE | {"sample_weight": W},), [A, B], None, W),
    "table and scores apart": ((TABLE | {"sample_weight": W}, S), [A, B], S, W),
    "classes of single texts": (({"text": A, "label": C},), [A], None, None),
    "table of negatives": ((TABLE | {"negative": C, "negative_2": A},), [A, B, C, A], None, None),
    "dicts": (([{"text": a, "text_pair": b} for a, b in ROWS],), [A, B], None, None),
    "data frame": ((pd.DataFrame(TABLE | {"score": S}),), [A, B], S, None),
    "any other column": (({"sentence": A},), [A], None, None),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    arguments, columns, scores, weights = FORMS[form]
    found = text_groups(*arguments)
    assert found.columns == columns
    for part, expected in ((found.scores, scores), (found.weights, weights)):
        assert part is None if expected is None else list(part) == expected


def test_rows_and_numbers():
    groups = text_groups([("a", "b"), ("b", "c"), ("a", "d")])
    assert groups.rows == ["a", "b", "b", "c", "a", "d"]
    assert groups.numbers.tolist() == [[0, 1], [1, 2], [0, 3]]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([1, 2], "expected strings, found 1 in row 0"),
        ((A, ["c"]), "column 1 has 1 texts, and column 0 has 2"),
        ([("a", "b"), ("c",)], "rows of 1, 2 values"),
        ((A, B, S, W, W), "3 columns of numbers"),
        ((A, ["c", None]), "found None in row 1"),
        ({"a": A, "b": B}, "expected texts under 'text'"),
        (pd.DataFrame(TABLE | {"label": C}), "column 'label': expected numbers, the scores of"),
        ((TABLE | {"sample_weight": W}, S, W), "3 columns of numbers"),
    ],
)
def test_what_is_no_text(x, message):
    with pytest.raises(InputError, match=message) as error:
        text_groups(x)
    assert "\n" not in str(error.value)
