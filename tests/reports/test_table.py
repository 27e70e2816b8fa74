import io

import pytest
from rich.console import Console

from keras_roberta.reports.contents import Row
from keras_roberta.reports.table import as_table


def lines(table, width=80):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_columns_are_what_was_measured():
    rows = [Row("a", {"accuracy": 0.5}, agreement=1.0), Row("b", {"accuracy": 0.25})]
    assert lines(as_table(rows)) == [
        ["model", "accuracy", "agreement"],
        ["a", "0.500", "1.000"],
        ["b", "0.250", "–"],
    ]


@pytest.mark.parametrize(
    ("scores", "heads"),
    [
        ({"accuracy": 0.5, "macro_f1": 0.25}, ["accuracy", "macro", "F1"]),
        ({"mse": 2.0, "pearson": None}, ["MSE"]),
        ({"f1_micro": 0.5, "f1_macro": 0.25}, ["F1", "micro", "F1", "macro"]),
    ],
)
def test_scores_of_any_schema(scores, heads):
    head, row = lines(as_table([Row("a", scores)]))
    assert head[1:] == heads
    assert row[1:] == [f"{value:.3f}" for value in scores.values() if value is not None]


def test_a_full_row_fits_a_terminal():
    row = Row("float32.tflite", {"accuracy": 0.5, "macro_f1": 0.25}, 1.0, 1e-7, 12.34, 1.5, 2.0)
    (head, found) = lines(as_table([row]))
    assert found == ["float32.tflite", "0.500", "0.250", "1.000", "1e-07", "12.34", "1.50"]
