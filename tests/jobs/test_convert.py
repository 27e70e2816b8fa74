"""To Hugging Face's layout and back; the parity is with arrays that Transformers computed."""

import json
import pathlib
import shutil

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.errors import InputError
from keras_roberta.jobs.convert import convert

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


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
    defaults = {"hidden_act": "gelu", "position_embedding_type": "absolute"}
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


def test_a_model_without_token_types_gets_a_row_of_zeros(config, tmp_path):
    backbone = kr.RobertaBackbone(config.replace(num_token_types=0))
    backbone.save_to_hugging_face(tmp_path / "hf")
    again = kr.RobertaBackbone.from_preset(tmp_path / "hf")
    assert not np.asarray(again.weights_by_name()["embeddings/token_type"]).any()
    inputs = {"token_ids": np.array([[0, 7, 2]]), "padding_mask": np.ones((1, 3), "int32")}
    np.testing.assert_allclose(again(inputs), backbone(inputs), atol=1e-6)


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
