"""Checkpoints that differ from RoBERTa's own: as Transformers reads them, or refused by name.

`tests/golden/variants` holds two of them with Transformers' own outputs.
"""

import json
import logging
import pathlib
import shutil

import numpy as np
import pytest
from hugging_face_files import CLASSIFIER, MASKED_LM, POOLER, write_checkpoint

import keras_roberta as kr
from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.checkpoints.safetensors_files import write_safetensors
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.config import ACTIVATIONS
from keras_roberta.errors import InputError

VARIANTS = pathlib.Path(__file__).resolve().parents[1] / "golden" / "variants"
SEQUENCE = "RobertaForSequenceClassification"


@pytest.fixture(scope="module")
def outputs():
    return dict(np.load(VARIANTS / "outputs.npz"))


def copied(name, directory, *, rename=None, **changes):
    """A copy of a golden checkpoint with other names of tensors and another config."""
    shutil.copytree(VARIANTS / name, directory)
    values = json.loads((directory / "config.json").read_text()) | changes
    (directory / "config.json").write_text(json.dumps(values))
    if rename is not None:
        tensors = dict(open_state_dict(directory))
        names = {name: rename(name) for name in tensors}
        write_safetensors(
            directory / "model.safetensors", {names[name]: tensors[name] for name in tensors}
        )
    return directory


def classify(directory, outputs):
    task = kr.RobertaTextClassifier.from_preset(directory, preprocessor=None)
    return task, np.asarray(task(outputs["token_ids"]))


# === Activations ===


@pytest.mark.parametrize(
    "activation",
    ["gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "quick_gelu", "relu", "silu", "swish"],
)
def test_activations(tmp_path, outputs, activation):
    source = copied("classifier", tmp_path / "hf", hidden_act=activation)
    task, found = classify(source, outputs)
    expected = outputs[f"logits/{activation}"]
    real = [0, 2, 3]  # of the other row Transformers' classifier reads the padding in front
    np.testing.assert_allclose(found[real], expected[real], atol=2e-5)
    task.save_to_hugging_face(tmp_path / "back")
    written = json.loads((tmp_path / "back/config.json").read_text())["hidden_act"]
    assert {activation, written} <= {"gelu_new", "gelu_pytorch_tanh", "gelu_fast"} or (
        {activation, written} <= {"silu", "swish"} or activation == written
    )
    assert classify(tmp_path / "back", outputs)[1].tolist() == found.tolist()


def test_an_activation_that_there_is_not(tmp_path):
    source = copied("classifier", tmp_path / "hf", hidden_act="mish")
    with pytest.raises(
        InputError, match="hf: .*hidden_act is 'mish'; this library has gelu, .*relu"
    ):
        open_checkpoint(source)


# === Settings of another model ===


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(is_decoder=True), "is_decoder is True"),
        (dict(add_cross_attention=True), "add_cross_attention is True"),
        (dict(is_encoder_decoder=True), "is_encoder_decoder is True"),
        (dict(position_embedding_type="relative_key"), "position_embedding_type is 'relative_key'"),
        (dict(pruned_heads={"0": [1]}), "pruned_heads is"),
        (dict(quantization_config={"bits": 4}), "quantization_config is"),
        (dict(hidden_act=["gelu"]), "hidden_act is"),
        (dict(classifier_dropout=1.5), "classifier_dropout must be in"),
        (dict(tie_word_embeddings="no"), "tie_word_embeddings must be True or False"),
        (dict(pad_token_id="1"), "pad_token_id must be an integer"),
        (dict(id2label={"0": "a", "1": "b", "2": "a"}), "the name 'a' to 0 and 2"),
        (
            dict(id2label={"0": "a", "1": "b", "2": "c"}, label2id={"a": 0, "b": 2, "c": 1}),
            "1 is 'b', label2id that 'b' is 2",
        ),
        (
            dict(id2label={"0": "a", "1": "b", "2": "c"}, label2id={"a": 0, "b": 1}),
            "label2id that 'c' is None",
        ),
        (
            dict(
                id2label={"0": "a", "1": "b", "2": "c"}, label2id={"a": 0, "b": 1, "c": 2, "d": 3}
            ),
            "label2id has the name 'd'",
        ),
        (dict(label2id={"a": 0, "b": 0, "c": 1}), "label2id must give 0, 1, 2"),
        (dict(label2id=["a", "b", "c"]), "label2id must give a number"),
    ],
)
def test_what_is_refused(tmp_path, changes, says):
    source = write_checkpoint(tmp_path / "hf", CLASSIFIER, architectures=[SEQUENCE], **changes)
    with pytest.raises(InputError, match=says):
        open_checkpoint(source).task_settings(kr.RobertaTextClassifier)


@pytest.mark.parametrize(
    "changes",
    [
        dict(is_decoder=False, add_cross_attention=False, position_embedding_type="absolute"),
        dict(pruned_heads={}, bos_token_id=None, eos_token_id=None, classifier_dropout=None),
        dict(label2id={"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}, eos_token_id=[2, 3]),
    ],
)
def test_what_changes_nothing_is_taken(tmp_path, changes):
    source = write_checkpoint(tmp_path / "hf", CLASSIFIER, architectures=[SEQUENCE], **changes)
    assert open_checkpoint(source).task_settings(kr.RobertaTextClassifier)["num_classes"] == 3


def test_names_of_label2id_alone(tmp_path):
    source = write_checkpoint(tmp_path / "hf", CLASSIFIER, label2id={"c": 2, "a": 0, "b": 1})
    settings = open_checkpoint(source).task_settings(kr.RobertaTextClassifier)
    assert settings["preprocessor"]["labels"] == ["a", "b", "c"]


def test_the_dropout_of_the_head_goes_there_and_back(tmp_path):
    source = write_checkpoint(tmp_path / "hf", CLASSIFIER, classifier_dropout=0.25)
    task = kr.RobertaTextClassifier.from_preset(source, preprocessor=None)
    assert task.head.dropout.rate == 0.25
    task.save_to_hugging_face(tmp_path / "back")
    assert json.loads((tmp_path / "back/config.json").read_text())["classifier_dropout"] == 0.25


# === Names of tensors ===

LAYER_NORMS = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
LAYER_NORMS |= {"layer_norm.weight": "layer_norm.gamma", "layer_norm.bias": "layer_norm.beta"}


def with_old_layer_norms(name):
    for new, old in LAYER_NORMS.items():
        name = name.replace(new, old)
    return name


@pytest.mark.parametrize(
    "rename",
    [
        with_old_layer_norms,
        lambda name: f"module.{name}",
        lambda name: f"_orig_mod.{name}",
        lambda name: f"module._orig_mod.{name}",
        lambda name: f"model.{name.removeprefix('roberta.')}",
        lambda name: name.replace("roberta.", "bert."),
        lambda name: name.removeprefix("roberta."),
    ],
)
def test_other_names(tmp_path, outputs, rename):
    masked = copied("untied", tmp_path / "masked", rename=rename)
    task = kr.RobertaMaskedLM.from_preset(masked, preprocessor=None)
    there = outputs["padding_mask"] > 0
    found = np.asarray(task(outputs["token_ids"]))
    np.testing.assert_allclose(found[there], outputs["untied_logits"][there], atol=2e-5)
    checkpoint = open_checkpoint(masked)
    assert checkpoint.heads_unread_by(kr.RobertaMaskedLM) == checkpoint.unused_weights() == []


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("teacher.roberta.embeddings.word_embeddings.weight", "of several models"),
        ("embeddings.word_embeddings.weight", "of several models"),
        ("classifier.dense.weight", "hold module.classifier.dense.weight and classifier.dense"),
    ],
)
def test_several_models_in_one_file(tmp_path, extra, says):
    source = copied("classifier", tmp_path / "hf", rename=lambda name: f"module.{name}")
    tensors = dict(open_state_dict(source)) | {extra: np.zeros((40, 16), np.float32)}
    write_safetensors(source / "model.safetensors", tensors)
    with pytest.raises(InputError, match=f"hf: the weights .*{says}"):
        kr.RobertaBackbone.from_preset(source)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tf_model.h5", "tf_model.h5; load it in Transformers 4 .*from_tf=True"),
        ("flax_model.msgpack", "from_flax=True"),
        ("adapter_model.safetensors", "merge_and_unload"),
        ("model.onnx", "ONNX"),
        ("onnx/model.onnx", "ONNX"),
        ("model.ckpt.index", "save_pretrained"),
        ("README.md", "expected model.safetensors or pytorch_model.bin"),
    ],
)
def test_weights_of_another_kind_alone(tmp_path, name, says):
    source = copied("classifier", tmp_path / "hf")
    (source / name).parent.mkdir(exist_ok=True)
    (source / "model.safetensors").rename(source / name)
    with pytest.raises(InputError, match=says):
        kr.RobertaBackbone.from_preset(source)


@pytest.mark.parametrize(
    "changes",
    [
        dict(vocab_size=12),
        dict(num_hidden_layers=9),
        dict(num_hidden_layers=1),
        dict(classifier_dropout=2),
        dict(id2label={"1": "a"}),
    ],
    ids=str,
)
def test_what_does_not_fit_names_the_checkpoint(tmp_path, changes):
    source = copied("classifier", tmp_path / "hf", **changes)
    with pytest.raises(InputError, match=r"^\S*/hf: (?!.*/hf)"):
        kr.RobertaTextClassifier.from_preset(source, preprocessor=None)


# === The output matrix ===


def assert_untied(task, outputs):
    assert task.backbone.config.tie_word_embeddings is False
    there = outputs["padding_mask"] > 0
    found = np.asarray(task(outputs["token_ids"]))
    np.testing.assert_allclose(found[there], outputs["untied_logits"][there], atol=2e-5)


@pytest.mark.parametrize("cls", [kr.RobertaMaskedLM, kr.RobertaPretrainer])
def test_an_output_matrix_of_its_own(tmp_path, outputs, cls):
    """Into every form and out of it, for the two classes that have such a head."""
    task = cls.from_preset(VARIANTS / "untied", preprocessor=None)
    task.save_to_preset(tmp_path / "preset")
    task.save_to_hugging_face(tmp_path / "hf")
    for source in (VARIANTS / "untied", tmp_path / "preset", tmp_path / "hf"):
        assert_untied(kr.RobertaMaskedLM.from_preset(source, preprocessor=None), outputs)
    written, read = (dict(open_state_dict(path)) for path in (tmp_path / "hf", VARIANTS / "untied"))
    assert set(written) == set(read)
    for name in set(read) - {"lm_head.bias"}:  # which Transformers does not compute with
        np.testing.assert_array_equal(written[name], read[name], err_msg=name)


def test_a_config_that_denies_the_output_matrix(tmp_path, outputs, caplog):
    """Transformers keeps both where they differ, whatever the config says."""
    source = copied("untied", tmp_path / "hf", tie_word_embeddings=True)
    with caplog.at_level(logging.WARNING):
        task = kr.RobertaMaskedLM.from_preset(source, preprocessor=None)
    assert_untied(task, outputs)
    assert "tie_word_embeddings" in caplog.text


def test_an_output_matrix_that_is_missing(tmp_path):
    source = write_checkpoint(
        tmp_path / "hf", MASKED_LM, architectures=["RobertaForMaskedLM"], tie_word_embeddings=False
    )
    with pytest.raises(InputError, match="lacks lm_head.decoder.weight"):
        kr.RobertaMaskedLM.from_preset(source, preprocessor=None)


# === What no model here has ===


def test_a_pooler_is_said(tmp_path, caplog):
    source = write_checkpoint(tmp_path / "hf", POOLER, architectures=["RobertaModel"])
    with caplog.at_level(logging.WARNING):
        kr.RobertaBackbone.from_preset(source)
    assert "roberta.pooler.dense.bias, roberta.pooler.dense.weight" in caplog.text


# === The tokenizer ===


@pytest.mark.parametrize("format", ["preset", "hf"])
def test_a_tokenizer_of_another_model(tmp_path, tokenizer, config, format):
    """Positions are counted from the padding's id."""
    other = config.replace(pad_token_id=7)
    backbone = kr.RobertaBackbone(other)
    says = "tokenizer's pad_token_id is 1, the model's 7"
    with pytest.raises(InputError, match=says):
        kr.RobertaTextClassifier(backbone, 2, preprocessor=kr.RobertaPreprocessor(tokenizer, 16))
    source = tmp_path / "source"
    task = kr.RobertaTextClassifier(backbone, 2)
    task.save_to_preset(source) if format == "preset" else task.save_to_hugging_face(source)
    tokenizer.save(source / "assets/tokenizer" if format == "preset" else source)
    for open_it in (kr.RobertaTextClassifier.from_preset, kr.open_task):
        with pytest.raises(InputError, match=f"source: .*{says}"):
            open_it(source)


def test_start_and_end_are_the_tokenizers(tmp_path, tokenizer, config):
    """Transformers' model does not look at them."""
    preprocessor = kr.RobertaPreprocessor(tokenizer, 16)
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2, preprocessor=preprocessor)
    task.save_to_hugging_face(tmp_path / "hf")
    path = tmp_path / "hf/config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"bos_token_id": 7, "eos_token_id": 8})
    )
    again = kr.RobertaTextClassifier.from_preset(tmp_path / "hf")
    texts = ["a fine film"]
    np.testing.assert_array_equal(again.predict(texts, verbose=0), task.predict(texts, verbose=0))
    again.save_to_hugging_face(tmp_path / "back")
    values = json.loads((tmp_path / "back/config.json").read_text())
    ids = tokenizer.start_token_id, tokenizer.end_token_id
    assert (values["bos_token_id"], values["eos_token_id"]) == ids


def test_every_activation_has_a_name_in_transformers():
    for name in ACTIVATIONS:
        config = kr.RobertaConfig(hidden_activation=name)
        assert kr.RobertaConfig.from_hugging_face(config.to_hugging_face()) == config
