"""Exporting from the command line: what only this job does."""

import dataclasses
import json
import types

import pytest

import keras_roberta as kr
from keras_roberta import export as exporters
from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import Table
from keras_roberta.errors import InputError
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.jobs.export import ExportData, export
from keras_roberta.jobs.options.export import ExportOptions
from keras_roberta.schemas import (
    AnswerSpan,
    MaskedTokens,
    MultipleChoice,
    OneLabel,
    TextVectors,
    Value,
)


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


def test_the_converter_sees_the_texts_of_a_table(preset, calibrated, tmp_path):
    (tmp_path / "pairs.tsv").write_text("text\ttext_pair\na fine film\tx\na dull film\ty\n")
    table = str(tmp_path / "pairs.tsv")
    options = ExportOptions(quantization="static", calibration=table, pairs=True)
    export(preset, tmp_path / "model.tflite", options)
    seen = [inputs["token_ids"][inputs["padding_mask"] == 1].tolist() for _, inputs in calibrated]
    columns = (["a fine film", "a dull film"], ["x", "y"])
    assert seen == kr.RobertaTokenizer.from_preset(preset)(*columns)
    assert exporters.read_metadata(tmp_path / "model.tflite")["quantization"] == "static"


def texts_of(path, content, schema, columns=None, limit=None, **options):
    """The texts of a table, read as `calibration` and as `lengths_from`."""
    path.write_text(content)
    options = ExportOptions(calibration=str(path), lengths_from=str(path), **options)
    data = ExportData.read(path.parent, options, columns or Columns(), limit)
    task = types.SimpleNamespace(schema=schema, schema_cls=type(schema))
    first, second = (data.texts(t, task, options) for t in (data.calibration, data.lengths_from))
    assert first == second
    return first


LABELLED = "sentence\tlabel\na fine film\t1\na dull film\t0\n"
PAIRS = "a\tb\tlabel\na fine film\tx\t1\na dull film\ty\t0\n"
SQUAD = {"data": [{"paragraphs": [{"context": "A film.", "qas": [
    {"id": "1", "question": "What?", "answers": []}]}]}]}  # fmt: skip
OPTIONS = '{"question": "What?", "choices": ["a film", "a day"], "label": 0}\n'


@pytest.mark.parametrize(
    ("name", "content", "schema", "columns", "expected"),
    [
        ("a.tsv", "sentence\na fine film\n", OneLabel(2), {}, ["a fine film"]),
        ("a.tsv", LABELLED, OneLabel(2), {}, ["a fine film", "a dull film"]),
        ("a.tsv", LABELLED, Value(), {"text": "sentence"}, ["a fine film", "a dull film"]),
        ("a.tsv", PAIRS, Value(), {"text": "a", "text_pair": "b"},
         (["a fine film", "a dull film"], ["x", "y"])),
        ("a.txt", "a fine film\nx\n", OneLabel(2), {"text": "sentence"}, ["a fine film", "x"]),
        ("a.json", json.dumps(SQUAD), AnswerSpan(), {}, (["What?"], ["A film."])),
        ("a.jsonl", OPTIONS, MultipleChoice(), {},
         {"question": ["What?"], "choices": [["a film", "a day"]]}),
        ("a.tsv", "text\ttext_pair\nfine\tdull\n", TextVectors(), {}, (["fine"], ["dull"])),
    ],
)  # fmt: skip
def test_texts_of_tables(name, content, schema, columns, expected, tmp_path):
    """As the task takes them, by the columns that are named."""
    pairs = isinstance(expected, tuple) and schema.takes_pairs
    found = texts_of(tmp_path / name, content, schema, Columns(**columns), pairs=pairs)
    assert found == expected


def test_tables_whose_texts_do_not_fit(tmp_path):
    path = tmp_path / "a.tsv"
    with pytest.raises(InputError, match="a.tsv: no column 'title'.*--text-column"):
        texts_of(path, LABELLED, OneLabel(2), Columns(text="title"))
    with pytest.raises(InputError, match="a.tsv: which column holds the texts"):
        texts_of(path, PAIRS, OneLabel(2))
    of_pairs = Columns(text="a", text_pair="b")
    with pytest.raises(InputError, match="pairs: .*a.tsv has pairs of texts; give pairs"):
        texts_of(path, PAIRS, OneLabel(2), of_pairs)
    with pytest.raises(InputError, match="a.tsv: has pairs of texts, and the task takes single"):
        texts_of(path, PAIRS, MaskedTokens(4), of_pairs, inputs="tokens")
    with pytest.raises(InputError, match="a.tsv: has no second texts"):
        texts_of(path, LABELLED, OneLabel(2), pairs=True)
    assert texts_of(path, LABELLED, OneLabel(2), limit=1) == ["a fine film"]


def test_lengths_by_the_texts_that_there_are(tmp_path):
    """Those of `lengths_from`, or else of the dev data, or else of the calibration."""
    for name in ("lengths", "calibration"):
        (tmp_path / name).with_suffix(".txt").write_text("a fine film\n")
    dev = Table(tmp_path / "dev.tsv", {"text": ["a"]}, [2])
    given = {"calibration": str(tmp_path / "calibration.txt")}

    def chosen_by(dev=None, **options):
        options = ExportOptions(sequence_lengths="auto", **options)
        return ExportData.read(tmp_path, options, Columns(), dev=dev).lengths_from.table.path.name

    assert chosen_by(dev, **given, lengths_from=str(tmp_path / "lengths.txt")) == "lengths.txt"
    assert chosen_by(dev, **given, num_lengths=2) == "dev.tsv"
    assert chosen_by(**given) == "calibration.txt"
    with pytest.raises(
        InputError, match="sequence_lengths 'auto': there are no texts .*lengths_from"
    ):
        chosen_by()
    for wrong in ("all", "32,x"):
        with pytest.raises(InputError, match=f"sequence_lengths {wrong!r}: give .* or auto"):
            ExportOptions(sequence_lengths=wrong)


def test_texts_that_are_needed(preset, calibrated, tmp_path):
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
