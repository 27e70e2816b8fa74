"""Exporting from the command line: what only this job does."""

import dataclasses

import pytest

import keras_roberta as kr
from keras_roberta import export as exporters
from keras_roberta.errors import InputError
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.jobs.export import export
from keras_roberta.jobs.options.export import ExportOptions


@pytest.fixture
def preset(config, tokenizer, tmp_path):
    preprocessor = kr.RobertaPreprocessor(tokenizer, 16)
    kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2, preprocessor).save_to_preset(
        tmp_path / "preset"
    )
    return tmp_path / "preset"


@pytest.fixture
def calibrated(monkeypatch):
    """What the converter of a scheme that needs texts was shown: signatures and inputs."""
    seen = []

    def configure(converter):
        seen.extend(converter.representative_dataset())
        converter.representative_dataset = None

    scheme = dataclasses.replace(
        SCHEMES["none"], name="static", configure=configure, needs_calibration=True
    )
    monkeypatch.setitem(SCHEMES, "static", scheme)
    return seen


@pytest.mark.parametrize(
    ("name", "content", "pairs"),
    [
        ("lines.tsv", "sentence\na fine film\na dull film\n", False),
        ("table.tsv", "label\ttext\n1\ta fine film\n0\ta dull film\n", False),
        ("pairs.tsv", "text\ttext_pair\na fine film\tx\na dull film\ty\n", True),
    ],
)
def test_texts_for_calibration(name, content, pairs, preset, calibrated, tmp_path):
    (tmp_path / name).write_text(content)
    table = str(tmp_path / name)
    options = ExportOptions(quantization="static", calibration=table, pairs=pairs)
    export(preset, tmp_path / "model.tflite", options)
    seen = [inputs["token_ids"][inputs["padding_mask"] == 1].tolist() for _, inputs in calibrated]
    columns = (["a fine film", "a dull film"], ["x", "y"])[: 1 + pairs]
    assert seen == kr.RobertaTokenizer.from_preset(preset)(*columns)
    assert exporters.read_metadata(tmp_path / "model.tflite")["quantization"] == "static"


def test_a_table_without_texts(preset, calibrated, tmp_path):
    (tmp_path / "table.tsv").write_text("label\tsentence\n1\ta fine film\n")
    options = ExportOptions(quantization="static", calibration=str(tmp_path / "table.tsv"))
    with pytest.raises(InputError, match="table.tsv: no column 'text'; there are"):
        export(preset, tmp_path / "model.tflite", options)
    with pytest.raises(InputError, match="calibration: quantization 'static' needs texts"):
        export(preset, tmp_path / "model.tflite", ExportOptions(quantization="static"))


def test_a_table_of_too_few_texts(preset, tmp_path):
    (tmp_path / "table.tsv").write_text("sentence\na fine film\na dull film\n")
    options = ExportOptions(quantization="mixed", calibration=str(tmp_path / "table.tsv"))
    with pytest.raises(InputError, match="calibration: quantization 'mixed' needs 16 .* got 2"):
        export(preset, tmp_path / "model.tflite", options)


def test_help_says_what_each_quantization_does(run):
    _, stdout, _ = run("export", "--help")
    shown = " ".join(stdout.replace("│", " ").split())
    for name in ("float32, as in Keras", "weights in half precision", "weights in 8 bits"):
        assert name in shown
