"""To Hugging Face's layout and back; the parity is with arrays that Transformers computed."""

import json
import pathlib
import re
import shutil

import keras
import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.checkpoints import format_names, formats
from keras_roberta.checkpoints.safetensors_files import write_safetensors
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.errors import InputError
from keras_roberta.jobs import convert as job
from keras_roberta.jobs.options.convert import ConvertOptions

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"


def convert(model, out, to="hugging-face", drop_heads=False):
    return job.convert(model, out, ConvertOptions(to=to, drop_heads=drop_heads))


@pytest.fixture
def golden(tmp_path, tokenizer):
    """The directories that Transformers wrote, with a tokenizer that fits them."""
    for name in ("tiny-roberta", "tiny-roberta-mlm"):
        shutil.copytree(GOLDEN / name, tmp_path / name)
        tokenizer.save(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "task"),
    [("tiny-roberta", "RobertaTextClassifier"), ("tiny-roberta-mlm", "RobertaMaskedLM")],
)
def test_there_and_back(golden, tokenizer, name, task):
    assert convert(golden / name, golden / "preset", "keras") == task
    assert convert(golden / "preset", golden / "back", "hugging-face") == task
    theirs, ours = open_state_dict(golden / name), open_state_dict(golden / "back")
    names = {n for n in theirs if "decoder" not in n and "position_ids" not in n}
    assert set(ours) == names
    for tensor in names:
        np.testing.assert_array_equal(ours[tensor], theirs[tensor], err_msg=tensor)
    config = json.loads((golden / name / "config.json").read_text())
    written = json.loads((golden / "back" / "config.json").read_text())
    assert written["architectures"] == config["architectures"]
    # What Transformers takes where its own config.json is silent.
    defaults = {
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
        "problem_type": "single_label_classification",
    }
    for key, value in written.items():
        assert value == config.get(key, defaults.get(key)), key
    assert kr.RobertaTokenizer.from_preset(golden / "back") == tokenizer


def test_logits_are_those_of_transformers(golden):
    arrays = np.load(GOLDEN / "tiny_roberta.npz")
    inputs = {name: arrays[name].astype("int32") for name in ("token_ids", "padding_mask")}
    task = kr.RobertaTextClassifier.from_preset(golden / "tiny-roberta")
    task.save_to_hugging_face(golden / "out")
    again = kr.RobertaTextClassifier.from_preset(golden / "out")
    np.testing.assert_allclose(again(inputs), arrays["classifier_logits"], atol=1e-4)


def test_names_and_kinds_of_labels(config, tokenizer, tmp_path):
    preprocessor = kr.RobertaPreprocessor(tokenizer, 24, labels=["bad", "good"])
    backbone = kr.RobertaBackbone(config)
    kr.RobertaTextClassifier(backbone, 2, preprocessor).save_to_hugging_face(tmp_path / "named")
    again = kr.RobertaTextClassifier.from_preset(tmp_path / "named")
    assert again.labels == ("bad", "good")
    kr.RobertaTextClassifier(backbone, 1).save_to_hugging_face(tmp_path / "regression")
    values = json.loads((tmp_path / "regression" / "config.json").read_text())
    assert values["problem_type"] == "regression" and len(values["id2label"]) == 1


def test_an_encoder_alone(config, tokenizer, tmp_path):
    kr.RobertaBackbone(config).save_to_preset(tmp_path / "preset")
    tokenizer.save(tmp_path / "preset/assets/tokenizer")
    assert convert(tmp_path / "preset", tmp_path / "hf", "hugging-face") == "RobertaBackbone"
    assert convert(tmp_path / "hf", tmp_path / "again", "keras") == "RobertaBackbone"
    inputs = kr.RobertaPreprocessor(tokenizer)(["a fine film"])
    first, last = (
        kr.RobertaBackbone.from_preset(tmp_path / name)(inputs) for name in ("preset", "again")
    )
    np.testing.assert_array_equal(first, last)


def test_a_pretrainer_goes_out_as_a_language_model(config, tokenizer, tmp_path):
    preprocessor = kr.RobertaPretrainer.preprocessor_cls(tokenizer, 24)
    model = kr.RobertaPretrainer(kr.RobertaBackbone(config), preprocessor=preprocessor)
    model.save_to_preset(tmp_path / "preset")
    with pytest.raises(InputError, match="no place for sop_head; .*--drop-heads"):
        convert(tmp_path / "preset", tmp_path / "hf", "hugging-face")
    assert not (tmp_path / "hf").exists()
    written = convert(tmp_path / "preset", tmp_path / "hf", "hugging-face", drop_heads=True)
    assert written == "RobertaMaskedLM"
    masked_lm = kr.RobertaMaskedLM.from_preset(tmp_path / "hf")
    for name, weight in masked_lm.head_weights_by_name().items():
        np.testing.assert_array_equal(weight, model.head_weights_by_name()[name])


def assert_same_files(first, second):
    first, second = open_state_dict(first), open_state_dict(second)
    assert set(first) == set(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_from_a_format_to_itself(golden, config, tokenizer):
    assert convert(golden / "tiny-roberta", golden / "hf") == "RobertaTextClassifier"
    assert_same_files(golden / "tiny-roberta", golden / "hf")
    preprocessor = kr.RobertaPretrainer.preprocessor_cls(tokenizer, 24)
    model = kr.RobertaPretrainer(kr.RobertaBackbone(config), preprocessor=preprocessor)
    model.save_to_preset(golden / "preset")
    assert convert(golden / "preset", golden / "again", "keras") == "RobertaPretrainer"
    again = kr.RobertaPretrainer.from_preset(golden / "again")
    assert again.objectives == model.objectives
    for ours, theirs in zip(again.heads["sop"].weights, model.heads["sop"].weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


HEADS = {
    "RobertaForRanking": {"rank.weight": (1, 32)},
    "RobertaForDependencyParsing": {"arcs.weight": (32, 32), "arcs.bias": (32,)},
}
ANSWERS = {"qa_outputs.weight": (2, 32), "qa_outputs.bias": (2,)}


def with_another_head(golden, architecture, tensors, keep_classifier=False):
    directory = golden / "tiny-roberta"
    state = {k: v for k, v in open_state_dict(directory).items() if "position_ids" not in k}
    if not keep_classifier:
        state = {k: v for k, v in state.items() if not k.startswith("classifier.")}
    random = np.random.default_rng(0)
    state |= {k: random.normal(size=shape).astype("float32") for k, shape in tensors.items()}
    write_safetensors(directory / "model.safetensors", state)
    values = json.loads((directory / "config.json").read_text())
    values["architectures"] = [architecture]
    (directory / "config.json").write_text(json.dumps(values))
    return directory


@pytest.mark.parametrize("architecture", HEADS)
@pytest.mark.parametrize("to", ["keras", "hugging-face"])
def test_a_head_that_no_task_reads_is_named(golden, caplog, architecture, to):
    source = with_another_head(golden, architecture, HEADS[architecture])
    tensor = next(iter(HEADS[architecture]))
    with pytest.raises(InputError, match=f"tiny-roberta: .*{tensor}.*--drop-heads"):
        convert(source, golden / "out", to)
    assert not (golden / "out").exists()
    assert convert(source, golden / "out", to, drop_heads=True) == "RobertaBackbone"
    assert tensor in caplog.text
    first, last = (kr.RobertaBackbone.from_preset(d) for d in (source, golden / "out"))
    for name, weight in first.weights_by_name().items():
        np.testing.assert_array_equal(last.weights_by_name()[name], weight)


def test_heads_beside_that_of_the_task_are_named(golden, caplog):
    qa = "RobertaForQuestionAnswering"
    source = with_another_head(golden, "RobertaForSequenceClassification", ANSWERS, True)
    with pytest.raises(InputError, match=f"{qa}: qa_outputs.bias, qa_outputs.weight;"):
        convert(source, golden / "out", "keras")
    converted = convert(source, golden / "out", "keras", drop_heads=True)
    assert converted == "RobertaTextClassifier" and "qa_outputs.bias" in caplog.text


def test_a_head_that_the_config_promises_in_vain(golden, caplog):
    source = with_another_head(golden, "RobertaForMaskedLM", {})
    with pytest.raises(InputError, match="says RobertaForMaskedLM, but the weights hold no head"):
        convert(source, golden / "out", "keras")
    assert convert(source, golden / "out", "keras", drop_heads=True) == "RobertaBackbone"
    assert "RobertaForMaskedLM" in caplog.text


def test_a_saved_task_that_is_not_known_is_named(config, tokenizer, tmp_path):
    kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2).save_to_preset(tmp_path / "preset")
    tokenizer.save(tmp_path / "preset/assets/tokenizer")
    path = tmp_path / "preset" / "task.json"
    path.write_text(path.read_text().replace("RobertaTextClassifier", "SomebodysTask"))
    with pytest.raises(InputError, match="SomebodysTask.*--drop-heads"):
        convert(tmp_path / "preset", tmp_path / "out")
    assert convert(tmp_path / "preset", tmp_path / "out", drop_heads=True) == "RobertaBackbone"


def test_a_pooler_is_told(golden, caplog):
    pooler = {"roberta.pooler.dense.weight": (32, 32), "roberta.pooler.dense.bias": (32,)}
    source = with_another_head(golden, "RobertaForSequenceClassification", pooler, True)
    assert convert(source, golden / "out", "keras") == "RobertaTextClassifier"
    assert "roberta.pooler.dense.bias, roberta.pooler.dense.weight left out" in caplog.text


def test_the_command(golden, run):
    source = with_another_head(golden, "RobertaForRanking", HEADS["RobertaForRanking"])
    arguments = ("convert", "--model", source, "--out", golden / "out", "--to", "keras")
    code, _, stderr = run(*arguments)
    assert code == 2 and "rank.weight" in stderr and "--drop-heads" in stderr
    code, stdout, _ = run(*arguments, "--drop-heads")
    assert code == 0 and "RobertaBackbone" in stdout


def test_shards_and_positions(golden, run):
    """The outputs of texts that were short enough before stay exactly as they were."""
    source, out = golden / "tiny-roberta", golden / "long"
    sizes = ("--max-shard-size", "10KB", "--max-sequence-length", 96)
    code, _, stderr = run("convert", "--model", source, "--out", out, *sizes)
    assert code == 0, stderr
    assert (out / "model.safetensors.index.json").exists()
    before, after = (kr.RobertaTextClassifier.from_preset(d) for d in (source, out))
    assert after.backbone.config.max_sequence_length == 96
    assert after.preprocessor.sequence_length == 96
    length = before.backbone.config.max_sequence_length
    ids = np.random.default_rng(0).integers(5, 250, (3, length), dtype="int32")
    np.testing.assert_array_equal(after(ids), before(ids))
    assert np.isfinite(np.asarray(after(np.tile(ids, 3)[:, :96]))).all()


def test_precision(golden):
    source, half, back = golden / "tiny-roberta", golden / "half", golden / "back"
    job.convert(source, half, ConvertOptions(dtype="bfloat16"))
    assert json.loads((half / "config.json").read_text())["dtype"] == "bfloat16"
    before, after = (kr.RobertaTextClassifier.from_preset(d) for d in (source, half))
    for name, weight in before.backbone.weights_by_name().items():
        expected = keras.ops.cast(keras.ops.cast(weight, "bfloat16"), "float32")
        np.testing.assert_array_equal(after.backbone.weights_by_name()[name], expected)
    job.convert(half, back, ConvertOptions())
    assert json.loads((back / "config.json").read_text())["dtype"] == "float32"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--to", "fairseq", "--max-shard-size", "5GB"), "--max-shard-size: fairseq keeps all"),
        (("--max-shard-size", "5 apples"), "--max-shard-size '5 apples': give bytes"),
        (("--max-sequence-length", "16"), "the model has"),
        (("--extend-positions", "copy"), "--extend-positions: there are no positions to make"),
        (("--to", "fairseq", "--dtype", "bfloat16"), "--dtype: fairseq keeps weights in float32"),
        (("--max-sequence-length", "96", "--extend-positions", "guess"), "expected one of copy"),
    ],
)
def test_shards_and_positions_that_do_not_fit(golden, run, options, message):
    arguments = ("--model", golden / "tiny-roberta", "--out", golden / "out")
    code, _, stderr = run("convert", *arguments, *options)
    assert code == 2 and message in stderr and len(stderr.splitlines()) == 1
    assert not (golden / "out").exists()


def test_the_how_to_is_true(config, tokenizer, tmp_path, monkeypatch):
    """The format in docs/how-to, there and back."""
    monkeypatch.setattr(formats, "FORMATS", list(formats.FORMATS))
    monkeypatch.setattr(format_names, "NAMES", list(format_names.NAMES))
    page = (ROOT / "docs" / "how-to" / "add-a-checkpoint-format.md").read_text(encoding="utf-8")
    exec(compile(re.search(r"```python\n(.*?)```", page, re.S)[1], "the page", "exec"), {})
    task = kr.RobertaTextClassifier(
        kr.RobertaBackbone(config), 2, kr.RobertaPreprocessor(tokenizer, 24)
    )
    task.save_to_preset(tmp_path / "preset")
    with pytest.raises(InputError, match="numpy has no place for classification_head"):
        convert(tmp_path / "preset", tmp_path / "numpy", "numpy")
    converted = convert(tmp_path / "preset", tmp_path / "numpy", "numpy", drop_heads=True)
    assert converted == "RobertaBackbone"
    assert convert(tmp_path / "numpy", tmp_path / "hf") == "RobertaBackbone"
    last = kr.RobertaBackbone.from_preset(tmp_path / "hf").weights_by_name()
    for name, weight in task.backbone.weights_by_name().items():
        np.testing.assert_array_equal(last[name], weight, err_msg=name)
    with pytest.raises(InputError, match="num_classes"):
        kr.RobertaTextClassifier.from_preset(tmp_path / "numpy")
    whole = (tmp_path / "numpy" / "weights.npz").read_bytes()
    for damaged in (b"garbage", b"", whole[:1000], whole[:100] + bytes(100) + whole[200:]):
        (tmp_path / "numpy" / "weights.npz").write_bytes(damaged)
        with pytest.raises(InputError, match="weights.npz: cannot be read"):
            kr.RobertaBackbone.from_preset(tmp_path / "numpy")
    (tmp_path / "numpy" / "weights.npz").unlink()
    with pytest.raises(InputError, match="weights.npz"):
        kr.RobertaBackbone.from_preset(tmp_path / "numpy")


def test_a_model_without_token_types_gets_a_row_of_zeros(config, tmp_path):
    backbone = kr.RobertaBackbone(config.replace(num_token_types=0))
    backbone.save_to_hugging_face(tmp_path / "hf")
    again = kr.RobertaBackbone.from_preset(tmp_path / "hf")
    assert not np.asarray(again.weights_by_name()["embeddings/token_type"]).any()
    inputs = {"token_ids": np.array([[0, 7, 2]]), "padding_mask": np.ones((1, 3), "int32")}
    np.testing.assert_allclose(again(inputs), backbone(inputs), atol=1e-6)


def test_an_encoder_that_says_it_is_more(golden):
    """Its config names a head, and its weights hold none: common on the Hub."""
    source = golden / "tiny-roberta-mlm"
    tensors = {k: v for k, v in open_state_dict(source).items() if not k.startswith("lm_head.")}
    write_safetensors(source / "model.safetensors", tensors)
    with pytest.raises(InputError, match=r"give num_classes \(or load_head=False\)"):
        kr.RobertaTextClassifier.from_preset(source)
    assert kr.RobertaTextClassifier.from_preset(source, num_classes=2).head.num_classes == 2
    assert kr.RobertaMaskedLM.from_preset(source, load_head=False).backbone is not None
    with pytest.raises(InputError, match=r"drop_heads=True \(--drop-heads\)"):
        convert(source, golden / "out", "keras")
    assert convert(source, golden / "out", "keras", drop_heads=True) == "RobertaBackbone"


def test_bad_input(golden, config):
    with pytest.raises(InputError, match="no such directory"):
        convert(golden / "none", golden / "out", "keras")
    with pytest.raises(InputError, match="expected one of"):
        convert(golden / "tiny-roberta", golden / "out", "onnx")
    (golden / "out").mkdir()
    (golden / "out" / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="--overwrite"):
        convert(golden / "tiny-roberta", golden / "out", "keras")
    assert [path.name for path in (golden / "out").iterdir()] == ["mine.txt"]
