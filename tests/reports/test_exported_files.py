"""The report over exported files."""

import json

import numpy as np
import pytest

from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export.comparison import (
    Row,
    as_table,
    latencies,
    median_latencies,
    quality,
    short_name,
)

TEXTS = ["a gem", "the film is a mess", "much of that", "from start to finish"] * 2


def test_report(exported, saved_model, classifier, tmp_path, capsys):
    truth = classifier.predict(TEXTS, verbose=0).argmax(axis=-1)
    labels = [classifier.labels[number] for number in truth]
    rows = export.report(
        [exported["none"], exported["text_int8"], saved_model],
        TEXTS,
        labels,
        reference=classifier,
        sequence_lengths=(16, 32),
        threads=(1, 2),
        repeats=3,
        picture=tmp_path / "report.png",
        data=tmp_path / "report.json",
    )
    assert len(rows) == 2 * (2 + 2 + 1)
    assert all(0 < row.median_ms <= row.p95_ms for row in rows)
    assert {row.agreement for row in rows if row.quantization == "none"} == {1.0}
    assert {row.accuracy for row in rows if row.quantization == "none"} == {1.0}
    assert json.loads((tmp_path / "report.json").read_text())[0]["megabytes"] > 1
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "text_int8.tflite" in capsys.readouterr().out


def test_regression_is_judged_by_correlation(exported, regressor):
    (row,) = export.report(
        [exported["regression_none"]],
        TEXTS,
        np.arange(8.0),
        reference=regressor,
        sequence_lengths=(16,),
        repeats=1,
        show=False,
    )
    assert row.agreement == pytest.approx(1.0)
    assert -1 <= row.accuracy <= 1


def test_pairs(exported, regressor):
    pairs = (TEXTS, TEXTS[::-1])
    options = {"reference": regressor, "sequence_lengths": (16,), "repeats": 1, "show": False}
    (row,) = export.report([exported["text_pairs"]], pairs, np.arange(8.0), **options)
    assert row.agreement > 0.99


def test_quality():
    logits = np.eye(2)[[1, 1]]
    assert quality(logits, [1, 0], logits)["agreement"] == 1.0
    assert quality(logits, [1, 0])["accuracy"] == 0.5
    assert quality(logits) == {}
    line = np.array([[1.0], [2.0], [4.0]])
    found = quality(line, [-1.0, -2.0, -4.0], line)
    assert (found["accuracy"], found["agreement"]) == (pytest.approx(-1), pytest.approx(1))


def test_functions_take_turns():
    calls = []
    times = latencies({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2, 1)
    assert calls == ["a", "b", "b", "a", "a", "b"]
    assert {name: len(values) for name, values in times.items()} == {"a": 2, "b": 2}


@pytest.mark.parametrize(
    ("texts", "singles"),
    [(["a", "b"], [["a"], ["b"]]), ((["a", "b"], ["c", "d"]), [(["a"], ["c"]), (["b"], ["d"])])],
)
def test_texts_are_timed_one_by_one(texts, singles):
    seen = []
    (milliseconds,) = median_latencies([seen.append], texts)
    assert seen == singles * 2 and milliseconds > 0


def test_table_has_what_was_measured():
    table = as_table([Row("a", 0.5, agreement=1.0), Row("b", 0.25)])
    assert [column.header for column in table.columns] == ["model", "accuracy", "agreement"]
    assert list(table.columns[2].cells) == ["1.000", "–"]


@pytest.mark.parametrize(
    ("path", "name"), [("out/a.tflite", "a.tflite"), ("out/sst2", "sst2"), ("sst2/1", "sst2/1")]
)
def test_short_name(path, name):
    assert short_name(path) == name


def test_errors(exported, classifier):
    with pytest.raises(InputError, match="at least one"):
        export.report([])
    with pytest.raises(InputError, match="1 of them for 2 texts"):
        export.report([exported["int8"]], ["a", "b"], [0])
    with pytest.raises(InputError, match="'great' is none of bad, fair, good"):
        export.report(
            [exported["int8"]], ["a"], ["great"], classifier.preprocessor, repeats=1, show=False
        )
