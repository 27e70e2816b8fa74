import json

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.jobs.report import report_on_table

TEXTS = ["a fine film", "a dull film", "warm and funny", "cold and flat"]


@pytest.fixture(scope="module")
def make_models(tokenizer, tmp_path_factory):
    """A function that makes a task, its preset and a `.tflite` of it: their paths."""

    def make(cls, labels=None, **settings):
        directory = tmp_path_factory.mktemp("models")
        config = kr.RobertaConfig(
            vocabulary_size=tokenizer.vocabulary_size,
            num_layers=1,
            num_heads=4,
            hidden_dim=32,
            intermediate_dim=48,
            max_sequence_length=32,
            initializer_range=0.2,
            seed=0,
        )
        preprocessor = kr.RobertaPreprocessor(tokenizer, sequence_length=32, labels=labels)
        task = cls(kr.RobertaBackbone(config), preprocessor=preprocessor, **settings)
        task.save_to_preset(directory / "preset")
        file = export.to_tflite(task, directory / "m.tflite", "none", sequence_lengths=(32,))
        return task, directory / "preset", file

    return make


def write_table(path, labels):
    rows = [f"{text}\t{label}\n" for text, label in zip(TEXTS, labels, strict=True)]
    path.write_text("text\tlabel\n" + "".join(rows))
    return path


def test_classes(make_models, tmp_path):
    names = ("bad", "good")
    task, preset, file = make_models(kr.RobertaTextClassifier, names, num_classes=2)
    truth = [names[i] for i in task.predict(TEXTS, verbose=0).argmax(axis=-1)]
    data = write_table(tmp_path / "dev.tsv", truth)
    table = report_on_table([file], preset, data, tmp_path / "out")
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [row["name"] for row in found["models"]] == ["Keras", "m.tflite"]
    assert [row["scores"]["accuracy"] for row in found["models"]] == [1.0, 1.0]
    assert found["models"][1]["agreement"] == 1.0
    assert (found["data"], found["rows"]) == (str(data), 4)
    assert (tmp_path / "out" / "report.png").read_bytes().startswith(b"\x89PNG")
    assert table.row_count == 2


def test_regression(make_models, tmp_path):
    task, preset, file = make_models(kr.RobertaTextRegressor)
    values = task.predict(TEXTS, verbose=0)[:, 0]
    data = write_table(tmp_path / "dev.tsv", 2 * values)
    report_on_table([file], preset, data, tmp_path / "out")
    rows = json.loads((tmp_path / "out" / "report.json").read_text())["models"]
    for row in rows:
        assert row["scores"]["pearson"] == pytest.approx(1, abs=1e-3)
        assert row["scores"]["mse"] == pytest.approx(np.mean(values**2), rel=1e-3)
    assert rows[1]["largest_change"] < 1e-4


def test_what_is_no_export_is_refused(tmp_path):
    (tmp_path / "preset").mkdir()
    with pytest.raises(InputError, match="neither a .tflite file nor a SavedModel"):
        report_on_table([tmp_path / "preset"], "p", "d.tsv", tmp_path)
