"""What exported files say about themselves, and what foreign and damaged ones lead to."""

import hashlib
import json
import shutil

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export.note_scores import note_scores


def test_round_trip(exported, classifier):
    found = export.read_metadata(exported["int8"])
    versions = found.pop("made_with")
    assert versions["tensorflow"] == tf.__version__
    assert versions["keras_roberta"] == kr.__version__
    assert len(found.pop("weights_sha256")) == 64
    assert found == {
        "format_version": 3,
        "task": "RobertaTextClassifier",
        "schema": {"name": "one-label", "num_classes": 3, "labels": ["bad", "fair", "good"]},
        "labels": ["bad", "fair", "good"],
        "quantization": "int8",
        "sequence_lengths": [16, 32],
        "max_sequence_length": 32,
        "inputs": "tokens",
        "pairs": False,
        "num_bytes": None,
        "ids_output": None,
        "vocabulary_size": 20_000,
        "start_token_id": 0,
        "pad_token_id": 1,
        "end_token_id": 2,
        "tokenizer_fingerprint": classifier.preprocessor.tokenizer.fingerprint,
        "min_runtime_version": "2.17.0",
        "license": "apache-2.0",
        "measured": None,
    }


def test_the_hash_is_that_of_the_weights(exported, classifier, make_task):
    """Whatever the quantisation, and by what `provenance` says."""
    found = {export.read_metadata(exported[name])["weights_sha256"] for name in ("int8", "none")}
    weights = dict(classifier.backbone.weights_by_name())
    weights |= {f"head/{k}": v for k, v in classifier.head_weights_by_name().items()}
    content = b"".join(
        name.encode() + np.asarray(value).astype("<f4").tobytes()
        for name, value in sorted(weights.items())
    )
    assert found == {hashlib.sha256(content).hexdigest()}


def test_weights_are_aligned(exported):
    """As the schema's force_align says, for files that are mapped into memory."""
    content = exported["text_int8"].read_bytes()
    model = schema.Model.GetRootAs(content)
    begins = []
    for buffer in map(model.Buffers, range(model.BuffersLength())):
        if buffer.DataLength() >= 16:
            begins.append(buffer._tab.Vector(buffer._tab.Offset(4)))
    assert len(begins) > 10 and all(begin % 16 == 0 for begin in begins)


def test_scores_are_noted(exported, tmp_path):
    path = tmp_path / "model.tflite"
    shutil.copyfile(exported["text_int8"], path)
    before, size = export.read_metadata(path), path.stat().st_size
    with export.load(path) as file:
        expected = file.predict(["a fine film"])
    note_scores(path, "dev.tsv", 12, {"accuracy": 0.5, "macro_f1": None})
    measured = {"data": "dev.tsv", "rows": 12, "scores": {"accuracy": 0.5, "macro_f1": None}}
    assert export.read_metadata(path) == {**before, "measured": measured}
    assert path.stat().st_size < size + 1000
    with export.load(path) as file:
        for name, value in file.predict(["a fine film"]).items():
            np.testing.assert_array_equal(value, expected[name])
    (tmp_path / "other.tflite").write_bytes(b"PK")
    with pytest.raises(InputError, match="is not a TFLite model"):
        note_scores(tmp_path / "other.tflite", "dev.tsv", 12, {})


@pytest.mark.parametrize(
    ("name", "version"),
    [
        *(("int8", "2.17.0"), ("text_int8", "2.17.0"), ("none", "2.9.0"), ("float16", "2.9.0")),
        *(("text_none", "2.12.0"), ("text_float16", "2.12.0")),
        *(("int4", "2.20.0"), ("int4_embedding", "2.20.0")),
    ],
)
def test_the_oldest_runtime(name, version, exported):
    """As docs/guides/phone.md tells it."""
    assert export.read_metadata(exported[name])["min_runtime_version"] == version


def test_of_a_file_that_takes_text(exported):
    values = export.read_metadata(exported["text_pairs"])
    assert (values["inputs"], values["pairs"], values["num_bytes"]) == ("text", True, [256])
    assert values["ids_output"] == "token_ids" and values["schema"] == {"name": "value"}


def test_saved_model(saved_model):
    values = export.read_metadata(saved_model)
    assert values["sequence_lengths"] is None and values["max_sequence_length"] == 40
    assert (saved_model / "assets" / "labels.txt").read_text() == "bad\nfair\ngood\n"


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        export.read_metadata(tmp_path / "absent.tflite")
    for content in (b"", b"PK\x03\x04 a zip file"):
        (tmp_path / "foreign.tflite").write_bytes(content)
        with pytest.raises(InputError, match="is not a TFLite model"):
            export.read_metadata(tmp_path / "foreign.tflite")
    with pytest.raises(InputError, match="holds no saved_model.pb"):
        export.read_metadata(tmp_path)


def test_a_tflite_file_of_someone_else(tmp_path):
    function = tf.function(lambda x: x + 1).get_concrete_function(tf.TensorSpec((1,), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    (tmp_path / "other.tflite").write_bytes(converter.convert())
    with pytest.raises(InputError, match="not one that keras_roberta exported"):
        export.read_metadata(tmp_path / "other.tflite")


@pytest.mark.parametrize("kept", [9, 100, 0.001, 0.1, 0.5, 0.99])
def test_truncated_files(exported, tmp_path, kept):
    content = exported["int8"].read_bytes()
    cut = content[: kept if kept > 1 else int(kept * len(content))]
    (tmp_path / "cut.tflite").write_bytes(cut)
    with pytest.raises(InputError, match="cut short or damaged"):
        export.load(tmp_path / "cut.tflite")


def test_a_later_format(saved_model, tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "saved_model.pb").touch()
    values = export.read_metadata(saved_model) | {"format_version": 4}
    (tmp_path / "assets" / "keras_roberta.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match="has format 4, this version reads 2 and 3"):
        export.read_metadata(tmp_path)


OF_FORMAT_2 = {
    "format_version": 2,
    "quantization": "int8",
    "sequence_lengths": [16, 32],
    "max_sequence_length": 32,
    "inputs": "text",
    "pairs": False,
    "num_bytes": [128, 256],
    "start_token_id": 0,
    "pad_token_id": 1,
    "end_token_id": 2,
    "tokenizer_fingerprint": None,
}


@pytest.mark.parametrize(
    ("of_task", "expected"),
    [
        (
            {"task": "RobertaTextClassifier", "num_classes": 3, "labels": ["bad", "fair", "good"]},
            {"name": "one-label", "num_classes": 3, "labels": ["bad", "fair", "good"]},
        ),
        (
            {"task": "RobertaTextClassifier", "num_classes": 1, "labels": ["0"]},
            {"name": "value"},
        ),
        (
            {
                **{"task": "RobertaMaskedLM", "num_classes": None, "labels": []},
                **{"mask_token_id": 4, "top_k": 3, "max_masks": 2},
            },
            {
                **{"name": "masked-tokens", "mask_token_id": 4, "mask_token": "<mask>"},
                **{"top_k": 3, "max_masks": 2},
            },
        ),
    ],
)
def test_files_of_the_format_before(of_task, expected, exported, tmp_path):
    path = with_metadata(exported["text_none"], {**OF_FORMAT_2, **of_task}, tmp_path / "2.tflite")
    values = export.read_metadata(path)
    assert json.loads(json.dumps(values["schema"])) == expected
    assert values["format_version"] == 3
    assert values["ids_output"] == ("input_ids" if "top_k" in of_task else "token_ids")


def test_a_file_of_the_format_before_runs(exported, tmp_path):
    values = {"task": "RobertaTextClassifier", "num_classes": 3, "labels": ["bad", "fair", "good"]}
    path = with_metadata(exported["text_none"], {**OF_FORMAT_2, **values}, tmp_path / "2.tflite")
    texts = ["a gem", "the film is a mess from start to finish and more"]
    old, new = export.load(path), export.load(exported["text_none"])
    assert old.metadata["vocabulary_size"] is None  # ids are not held against it
    assert old.predict({"token_ids": [[0, 9, 2]]})["label"].shape == (1,)
    assert old.answers(texts) == new.answers(texts)
    assert [len(ids) for ids in old.run_texts(texts)["token_ids"]] == [16, 32]


def with_metadata(path, values, target):
    """A copy of an exported file that says other things about itself."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    (entry,) = (entry for entry in model.metadata if entry.name == b"keras_roberta")
    model.buffers[entry.buffer].data = np.frombuffer(json.dumps(values).encode(), np.uint8)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    target.write_bytes(builder.Output())
    return target


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format_version": 2}, r"its metadata is damaged \(.*\); export it again"),
        ({"format_version": 3}, r"its metadata is damaged \(no task\); export it again"),
        ({**OF_FORMAT_2, "num_classes": "many"}, "its metadata is damaged"),
        ({**OF_FORMAT_2, "num_classes": 3, "labels": 3}, "its metadata is damaged"),
        ([3], "its metadata is damaged"),
    ],
)
def test_damaged_metadata(values, message, exported, tmp_path):
    path = with_metadata(exported["text_int8"], values, tmp_path / "damaged.tflite")
    with pytest.raises(InputError, match=f"damaged.tflite: {message}"):
        export.read_metadata(path)


@pytest.mark.parametrize(
    "of_schema",
    [
        {"name": "one-label", "num_classes": 3, "colour": "red"},
        {"name": []},
        "one-label",
    ],
)
def test_a_schema_that_is_not_known(of_schema, exported, tmp_path):
    values = {**export.read_metadata(exported["text_int8"]), "schema": of_schema}
    path = with_metadata(exported["text_int8"], values, tmp_path / "damaged.tflite")
    with pytest.raises(InputError, match="damaged.tflite: "):
        export.load(path)
