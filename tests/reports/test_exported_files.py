"""The report over exported files."""

import json

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError

TEXTS = ["a gem", "the film is a mess", "much of that", "from start to finish"] * 2
LENGTHS = (16, 32)
QUICK = {"sequence_lengths": (16,), "repeats": 1, "show": False}


@pytest.fixture(scope="module")
def make_task(tokenizer):
    """A function that makes a seeded task with weights large enough for logits to differ."""

    def make(cls, labels=None, **settings):
        config = kr.RobertaConfig(
            vocabulary_size=tokenizer.vocabulary_size,
            num_layers=1,
            num_heads=4,
            hidden_dim=32,
            intermediate_dim=48,
            max_sequence_length=40,
            initializer_range=0.2,
            seed=0,
        )
        preprocessor = kr.RobertaPreprocessor(tokenizer, sequence_length=40, labels=labels)
        return cls(kr.RobertaBackbone(config), preprocessor=preprocessor, **settings)

    return make


@pytest.fixture(scope="module")
def classifier(make_task):
    return make_task(kr.RobertaTextClassifier, ("bad", "fair", "good"), num_classes=3)


@pytest.fixture(scope="module")
def regressor(make_task):
    return make_task(kr.RobertaTextRegressor)


@pytest.fixture(scope="module")
def exported(classifier, regressor, tmp_path_factory):
    directory = tmp_path_factory.mktemp("exported")
    files = {
        "tokens": (classifier, "none", "tokens", LENGTHS),
        "int8": (classifier, "int8", "tokens", LENGTHS),
        "regression": (regressor, "none", "tokens", LENGTHS),
        "regression_pairs": (regressor, "int8", "text", (32,)),
    }
    return {
        name: export.to_tflite(
            task,
            directory / f"{name}.tflite",
            *arguments,
            sequence_lengths=lengths,
            pairs=name == "regression_pairs",
        )
        for name, (task, *arguments, lengths) in files.items()
    }


@pytest.fixture(scope="module")
def saved_model(classifier, tmp_path_factory):
    return export.to_saved_model(classifier, tmp_path_factory.mktemp("saved") / "1")


def test_report(exported, saved_model, classifier, tmp_path, capsys):
    truth = classifier.predict(TEXTS, verbose=0).argmax(axis=-1)
    labels = [classifier.labels[number] for number in truth]
    rows = export.report(
        [exported["tokens"], exported["int8"], saved_model],
        TEXTS,
        labels,
        reference=classifier,
        sequence_lengths=LENGTHS,
        threads=(1, 2),
        repeats=3,
        picture=tmp_path / "report.png",
        data=tmp_path / "report.json",
    )
    assert len(rows) == 2 * (2 + 2 + 1)
    assert all(0 < row.median_ms <= row.p95_ms for row in rows)
    exact = [row for row in rows if row.quantization == "none"]
    assert {row.agreement for row in exact} == {1.0}
    assert {row.scores["accuracy"] for row in exact} == {1.0}
    assert max(row.largest_change for row in exact) < 1e-4
    (first, *_) = json.loads((tmp_path / "report.json").read_text())
    assert first["name"] == "tokens.tflite" and first["scores"]["accuracy"] == 1.0
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "int8.tflite" in capsys.readouterr().out


def test_regression(exported, regressor):
    values = regressor.predict(TEXTS, verbose=0)[:, 0]
    (row,) = export.report(
        [exported["regression"]], TEXTS, 1 - 2 * values, reference=regressor, **QUICK
    )
    assert row.scores["pearson"] == pytest.approx(-1, abs=1e-3)
    assert row.scores["mse"] == pytest.approx(np.mean((3 * values - 1) ** 2), rel=1e-3)
    assert row.agreement is None and row.largest_change < 1e-4


def test_pairs(exported, regressor):
    pairs = (TEXTS, TEXTS[::-1])
    files = [exported["regression_pairs"]]
    quick = {**QUICK, "sequence_lengths": (32,)}
    (row,) = export.report(files, pairs, np.arange(8.0), reference=regressor, **quick)
    assert 0 < row.largest_change < 0.2


def test_without_texts_size_and_latency_are_measured(exported):
    (row,) = export.report([exported["int8"]], **QUICK)
    assert row.scores == {} and row.agreement is None
    assert row.megabytes == exported["int8"].stat().st_size / 1e6
    assert (row.sequence_length, row.threads) == (16, 1)


def test_errors(exported, classifier):
    with pytest.raises(InputError, match="at least one"):
        export.report([])
    with pytest.raises(InputError, match="1 of them for 2 texts"):
        export.report([exported["tokens"]], ["a", "b"], [0])
    with pytest.raises(InputError, match="'great' is none of bad, fair, good"):
        export.report([exported["tokens"]], ["a"], ["great"], classifier.preprocessor, **QUICK)
    files = [exported["tokens"], exported["regression"]]
    with pytest.raises(InputError, match="compare models of one task"):
        export.report(files, ["a"], None, classifier.preprocessor, **QUICK)
