"""The report over exported files."""

import json

import numpy as np
import pytest

from keras_roberta import export
from keras_roberta.errors import InputError

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


def test_errors(exported, classifier):
    with pytest.raises(InputError, match="at least one"):
        export.report([])
    with pytest.raises(InputError, match="1 of them for 2 texts"):
        export.report([exported["int8"]], ["a", "b"], [0])
    with pytest.raises(InputError, match="'great' is none of bad, fair, good"):
        export.report(
            [exported["int8"]], ["a"], ["great"], classifier.preprocessor, repeats=1, show=False
        )
