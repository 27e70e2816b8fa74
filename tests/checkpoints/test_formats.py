"""Which format and which head a directory has."""

import dataclasses
import functools
import json

import numpy as np
import pytest
from hugging_face_files import (
    CLASSIFIER,
    MASKED_LM,
    POOLER,
    QUESTIONS,
    SHAPES,
    TOKENS,
    classifier,
    random_state,
    write_checkpoint,
)

import keras_roberta as kr
from keras_roberta.checkpoints import format_names
from keras_roberta.checkpoints.formats import FORMATS, format_named, open_checkpoint
from keras_roberta.checkpoints.hugging_face import HuggingFaceHead, label_names
from keras_roberta.checkpoints.hugging_face_names import linear_head_weights
from keras_roberta.checkpoints.protocol import CheckpointFormat
from keras_roberta.checkpoints.tensor_files import StateDict
from keras_roberta.checkpoints.tensor_view import TensorView
from keras_roberta.errors import InputError
from keras_roberta.tasks.text_regressor import RobertaTextRegressor


class TokenTask:
    """All that a format asks of a task's class."""

    hugging_face = HuggingFaceHead(
        "RobertaForTokenClassification",
        functools.partial(linear_head_weights, "classifier"),
        ("classifier.weight", "classifier.bias"),
    )

    @staticmethod
    def settings_from_hugging_face(head, config):
        return {"shape": head["out/kernel"].shape}


TASKS = {
    "one label": kr.RobertaTextClassifier,
    "value": RobertaTextRegressor,
    "masked lm": kr.RobertaMaskedLM,
    "tokens": TokenTask,
}
SEQUENCE = "RobertaForSequenceClassification"
SINGLE, MULTI = "single_label_classification", "multi_label_classification"


def found_in(directory):
    checkpoint = open_checkpoint(directory)
    settings = {name: checkpoint.task_settings(cls) for name, cls in TASKS.items()}
    return [name for name, found in settings.items() if found is not None]


@pytest.mark.parametrize(
    ("architecture", "problem_type", "tensors", "task"),
    [
        (SEQUENCE, None, classifier(3), "one label"),
        (SEQUENCE, None, classifier(2), "one label"),
        (SEQUENCE, None, classifier(1), "value"),
        (SEQUENCE, SINGLE, classifier(3), "one label"),
        (SEQUENCE, "regression", classifier(1), "value"),
        (SEQUENCE, "regression", classifier(3), None),
        (SEQUENCE, SINGLE, classifier(1), None),
        (SEQUENCE, MULTI, classifier(3), None),
        (SEQUENCE, MULTI, classifier(1), None),
        (SEQUENCE, None, classifier(3) | POOLER | MASKED_LM, "one label"),
        ("XLMRobertaForSequenceClassification", None, classifier(3), "one label"),
        ("CamembertForSequenceClassification", None, classifier(1), "value"),
        ("RobertaForMaskedLM", None, MASKED_LM, "masked lm"),
        ("RobertaForMaskedLM", None, MASKED_LM | POOLER, "masked lm"),
        ("RobertaForMaskedLM", MULTI, MASKED_LM | classifier(3), "masked lm"),
        ("XLMRobertaForMaskedLM", None, MASKED_LM, "masked lm"),
        ("RobertaForCausalLM", None, MASKED_LM, None),
        ("RobertaForTokenClassification", None, TOKENS, "tokens"),
        ("CamembertForTokenClassification", None, TOKENS, "tokens"),
        ("RobertaForMultipleChoice", None, TOKENS, None),
        ("RobertaForQuestionAnswering", None, QUESTIONS, None),
        ("SomebodysForSequenceClassification", None, classifier(3), None),
        ("RobertaModel", None, {}, None),
        ("RobertaModel", None, POOLER, None),
        ("XLMRobertaModel", None, POOLER, None),
        # A silent config: the tensors decide.
        (None, None, classifier(3), "one label"),
        (None, None, classifier(1), "value"),
        (None, MULTI, classifier(3), None),
        (None, None, MASKED_LM, "masked lm"),
        (None, None, TOKENS, "tokens"),
        (None, None, QUESTIONS, None),
        (None, None, {}, None),
    ],
)
def test_which_head_it_is(tmp_path, architecture, problem_type, tensors, task):
    directory = write_checkpoint(
        tmp_path / "hf",
        tensors,
        architectures=architecture and [architecture],
        problem_type=problem_type,
    )
    assert found_in(directory) == ([] if task is None else [task])


@pytest.mark.parametrize(
    ("architecture", "tensors", "says"),
    [
        (SEQUENCE, {}, f"says {SEQUENCE}, but the weights hold no head"),
        (SEQUENCE, POOLER, f"says {SEQUENCE}, but the weights hold no head"),
        (
            SEQUENCE,
            MASKED_LM,
            f"says {SEQUENCE}, .* hold the head RobertaForMaskedLM.*lm_head.bias",
        ),
        (SEQUENCE, TOKENS, f"says {SEQUENCE}, .* RobertaForTokenClassification.*classifier.bias"),
        ("RobertaForMaskedLM", {}, "says RobertaForMaskedLM, but the weights hold no head"),
        ("RobertaForMaskedLM", CLASSIFIER, f"says RobertaForMaskedLM, .* {SEQUENCE}"),
        ("RobertaForTokenClassification", QUESTIONS, "TokenClassification.*QuestionAnswering"),
        ("RobertaForQuestionAnswering", CLASSIFIER, f"QuestionAnswering.*{SEQUENCE}"),
        ("RobertaModel", CLASSIFIER, f"says RobertaModel, .* {SEQUENCE}"),
        ("XLMRobertaForMaskedLM", {"head.out.weight": (2, 4)}, "MaskedLM, .* head.out.weight"),
    ],
)
def test_a_config_that_the_weights_contradict(tmp_path, architecture, tensors, says):
    directory = write_checkpoint(tmp_path / "hf", tensors, architectures=[architecture])
    for cls in TASKS.values():
        with pytest.raises(InputError, match=says) as caught:
            open_checkpoint(directory).task_settings(cls)
        assert str(directory) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(architectures="RobertaForMaskedLM"), "architectures must be a list"),
        (dict(architectures=[3]), "architectures must be a list"),
        (dict(problem_type="ranking"), "problem_type is 'ranking'; expected one of single_label"),
        (dict(problem_type=["regression"]), "problem_type"),
        (
            dict(id2label={"0": "a", "1": "b"}),
            "names 2 labels, but classifier.out_proj.bias has 3",
        ),
        (dict(id2label={"0": "LABEL_0"}), "names 1 labels"),
        (dict(id2label=["a", "b", "c"]), "id2label"),
        (dict(id2label={"a": 0, "b": 1, "c": 2}), "id2label"),
        (dict(id2label={"1": "a", "2": "b", "3": "c"}), "id2label"),
        (dict(id2label={"0": "a", "00": "b", "1": "c", "2": "d"}), "id2label"),
    ],
)
def test_a_mangled_config(tmp_path, changes, says):
    values = dict(architectures=[SEQUENCE]) | changes
    directory = write_checkpoint(tmp_path / "hf", CLASSIFIER, **values)
    with pytest.raises(InputError, match=says):
        open_checkpoint(directory).task_settings(kr.RobertaTextClassifier)


def test_label_names():
    eleven = {str(i): f"name {i}" for i in reversed(range(11))}
    assert label_names({"id2label": eleven}) == [f"name {i}" for i in range(11)]
    assert label_names({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}) is None
    assert label_names({"id2label": {"0": "LABEL_1", "1": "LABEL_0"}}) == ["LABEL_1", "LABEL_0"]
    assert label_names({}) is None and label_names({"id2label": None}) is None


@pytest.mark.parametrize(
    ("architecture", "problem_type", "tensors", "name"),
    [
        (SEQUENCE, MULTI, classifier(3), f"{SEQUENCE} ({MULTI})"),
        ("XLMRobertaForTokenClassification", None, TOKENS, "RobertaForTokenClassification"),
        ("RobertaModel", None, {}, None),
        (None, None, {}, None),
        (None, None, QUESTIONS, "RobertaForQuestionAnswering: qa_outputs.bias, qa_outputs.weight"),
        (None, None, {"rank.weight": (2, 4)}, "rank.weight"),
    ],
)
def test_the_name_of_the_head(tmp_path, architecture, problem_type, tensors, name):
    directory = write_checkpoint(
        tmp_path / "hf",
        tensors,
        architectures=architecture and [architecture],
        problem_type=problem_type,
    )
    assert open_checkpoint(directory).head_name == name


@pytest.mark.parametrize(
    ("tensors", "cls", "unread"),
    [
        (MASKED_LM, kr.RobertaMaskedLM, []),
        (
            MASKED_LM | {"lm_head.decoder.weight": (11, 4), "lm_head.decoder.bias": (11,)},
            kr.RobertaMaskedLM,
            [],
        ),
        (
            MASKED_LM | QUESTIONS | POOLER,
            kr.RobertaMaskedLM,
            ["RobertaForQuestionAnswering: qa_outputs.bias, qa_outputs.weight"],
        ),
        (
            MASKED_LM | {"rank.weight": (2, 4)},
            None,
            [
                "RobertaForMaskedLM: lm_head.bias, lm_head.dense.bias, lm_head.dense.weight, "
                "lm_head.layer_norm.bias, lm_head.layer_norm.weight",
                "rank.weight",
            ],
        ),
        ({}, None, ["RobertaForMaskedLM"]),
    ],
)
def test_heads_that_stay_behind(tmp_path, tensors, cls, unread):
    directory = write_checkpoint(tmp_path / "hf", tensors, architectures=["RobertaForMaskedLM"])
    assert open_checkpoint(directory).heads_unread_by(cls) == unread


def test_poolers_are_told(tmp_path):
    directory = write_checkpoint(tmp_path / "hf", CLASSIFIER | POOLER)
    assert open_checkpoint(directory).unused_weights() == sorted(POOLER)


def test_head_weights_are_those_of_the_file(tmp_path):
    directory = write_checkpoint(tmp_path / "hf", classifier(1), architectures=[SEQUENCE])
    arrays = random_state(SHAPES | classifier(1))
    checkpoint = open_checkpoint(directory)
    settings = checkpoint.task_settings(RobertaTextRegressor)
    settings.pop("preprocessor", None)
    task = RobertaTextRegressor(kr.RobertaBackbone(checkpoint.config), **settings)
    checkpoint.load_head(task)
    weights = task.head_weights_by_name()
    np.testing.assert_array_equal(weights["dense/kernel"], arrays["classifier.dense.weight"].T)
    np.testing.assert_array_equal(weights["out/kernel"], arrays["classifier.out_proj.weight"].T)
    np.testing.assert_array_equal(weights["out/bias"], arrays["classifier.out_proj.bias"])


# Formats

NAMES = ("keras", "hugging-face", "fairseq", "keras-hub")


def test_formats_by_name():
    assert [format.name for format in FORMATS] == list(NAMES)
    assert format_names.names() == NAMES
    for format in FORMATS:
        assert format_named(format.name) is format
    with pytest.raises(
        InputError, match="'onnx': expected one of keras, hugging-face, fairseq, keras-hub"
    ):
        format_named("onnx")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "config.json has a registered_name, or .*config.json has a model_type"),
        ("{}", "config.json has a registered_name, or .*config.json has a model_type"),
        ("[]", "config.json: expected a JSON object"),
        ("{", "config.json: not JSON"),
        ('{"model_type": "bert"}', "model_type is 'bert'"),
        ('{"registered_name": "A", "config": {}}', "is a A, not a preset"),
        ('{"registered_name": "A", "config": []}', "is a A, not a preset"),
        ('{"registered_name": "A", "config": {"config": 3}}', "is a A, not a preset"),
        ('{"registered_name": "A"}', "is a A, not a preset"),
    ],
)
def test_what_is_no_checkpoint(tmp_path, content, says):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        open_checkpoint(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("content", ["{}", '{"registered_name": "A"}', '{"config": {}}', "[]", "{"])
def test_a_damaged_task_json_is_named(config, tmp_path, content):
    kr.RobertaBackbone(config).save_to_preset(tmp_path)
    (tmp_path / "task.json").write_text(content)
    with pytest.raises(InputError, match="task.json"):
        open_checkpoint(tmp_path).task_settings(kr.RobertaTextClassifier)


def test_a_preset_says_what_it_holds(config, tokenizer, tmp_path):
    backbone = kr.RobertaBackbone(config)
    backbone.save_to_preset(tmp_path / "encoder")
    kr.RobertaTextClassifier(backbone, 3).save_to_preset(tmp_path / "task")
    encoder, task = (open_checkpoint(tmp_path / name) for name in ("encoder", "task"))
    assert encoder.format.name == task.format.name == "keras"
    assert encoder.head_name is None and encoder.heads_unread_by(None) == []
    assert encoder.task_settings(kr.RobertaTextClassifier) is None
    assert task.head_name == "RobertaTextClassifier"
    assert task.heads_unread_by(None) == ["RobertaTextClassifier"]
    assert task.heads_unread_by(kr.RobertaTextClassifier) == []
    assert task.task_settings(kr.RobertaTextClassifier)["num_classes"] == 3
    assert task.task_settings(kr.RobertaMaskedLM) is None


# Writing

ENCODER_NAMES = set(SHAPES)


@pytest.mark.parametrize(
    ("make", "architecture", "head", "entries"),
    [
        (
            lambda backbone: kr.RobertaTextClassifier(backbone, 3),
            SEQUENCE,
            set(CLASSIFIER),
            {
                "id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"},
                "label2id": {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2},
                "problem_type": SINGLE,
            },
        ),
        (
            RobertaTextRegressor,
            SEQUENCE,
            set(CLASSIFIER),
            {
                "id2label": {"0": "LABEL_0"},
                "label2id": {"LABEL_0": 0},
                "problem_type": "regression",
            },
        ),
        (kr.RobertaMaskedLM, "RobertaForMaskedLM", set(MASKED_LM), {}),
        (lambda b: kr.RobertaPretrainer(b, ("mlm",)), "RobertaForMaskedLM", set(MASKED_LM), {}),
        (lambda backbone: backbone, "RobertaModel", set(), {}),
    ],
)
def test_what_transformers_is_given(tmp_path, make, architecture, head, entries):
    from safetensors.numpy import load_file

    source = write_checkpoint(tmp_path / "hf", {}, architectures=["RobertaModel"])
    model = make(kr.RobertaBackbone.from_preset(source))
    model.save_to_hugging_face(tmp_path / "out")
    values = json.loads((tmp_path / "out" / "config.json").read_text())
    assert values["architectures"] == [architecture]
    assert {k: v for k, v in values.items() if k in ("id2label", "label2id", "problem_type")} == (
        entries
    )
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    assert set(tensors) == ENCODER_NAMES | head
    for name, array in random_state(SHAPES).items():
        np.testing.assert_array_equal(tensors[name], array, err_msg=name)


def test_heads_without_a_place_are_named(tmp_path, caplog):
    source = write_checkpoint(tmp_path / "hf", {}, architectures=["RobertaModel"])
    model = kr.RobertaPretrainer(
        kr.RobertaBackbone.from_preset(source), ("mlm", "nsp", "tokens"), token_labels=("a", "b")
    )
    with pytest.raises(
        InputError, match="out: hugging-face has no place for nsp_head, tokens_head"
    ):
        model.save_to_hugging_face(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    model.save_to_hugging_face(tmp_path / "out", drop_heads=True)
    assert "left out nsp_head, tokens_head" in caplog.text
    assert found_in(tmp_path / "out") == ["masked lm"]


def test_adapters_are_no_heads_without_a_place(tmp_path, config):
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2)
    task.backbone.enable_lora(2)
    task.save_to_hugging_face(tmp_path / "out")
    assert found_in(tmp_path / "out") == ["one label"]


def test_a_preset_over_another_format(config, tmp_path):
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 3)
    task.save_to_hugging_face(tmp_path)
    assert open_checkpoint(tmp_path).format.name == "hugging-face"
    task.save_to_preset(tmp_path)
    assert open_checkpoint(tmp_path).format.name == "keras"
    kr.RobertaBackbone(config).save_to_hugging_face(tmp_path)
    assert open_checkpoint(tmp_path).head_name is None
    kr.RobertaBackbone(config).save_to_preset(tmp_path)
    assert open_checkpoint(tmp_path).head_name is None


def test_parts_are_removed_whatever_the_format(config, tmp_path):
    class Archive(CheckpointFormat):
        name, summary, files = "archive", "an archive", ("*.npz",)
        parts = frozenset({"head.npz"})
        detect = open = None

        def write(self, model, directory, *, tokenizer=None):
            (directory / "encoder.npz").write_bytes(b"new")

    Archive.__abstractmethods__ = frozenset()
    for name in ("encoder.npz", "head.npz", "mine.txt"):
        (tmp_path / name).write_bytes(b"old")
    Archive().save(kr.RobertaBackbone(config), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "encoder.npz": b"new",
        "mine.txt": b"old",
    }


def test_what_to_do_without_the_head_that_is_announced(tmp_path):
    """Encoder and pooler alone are common for RobertaForMaskedLM."""
    source = write_checkpoint(tmp_path / "hf", POOLER, architectures=["RobertaForMaskedLM"])
    message = r"hold no head; give num_classes \(or load_head=False\).*\(--drop-heads\)"
    for cls in (kr.RobertaTextClassifier, kr.RobertaMaskedLM):
        with pytest.raises(InputError, match=message):
            open_checkpoint(source).task_settings(cls)


def test_no_weight_is_read_to_know_the_head(tmp_path, monkeypatch):
    directory = write_checkpoint(tmp_path / "hf", classifier(3), architectures=[SEQUENCE])
    monkeypatch.setattr(TensorView, "read", lambda view: pytest.fail(f"reads {view.name}"))
    settings = open_checkpoint(directory).task_settings(kr.RobertaTextClassifier)
    assert settings["num_classes"] == 3


def test_a_matrix_that_lies_where_the_embedding_does_is_tied(tmp_path):
    embedding = TensorView(tmp_path / "none", 0, np.dtype("f4"), (3, 2), name="embedding")
    tied = dataclasses.replace(embedding, name="decoder")
    other = dataclasses.replace(embedding, name="other", strides=(1, 3))
    state = StateDict({"embedding": embedding, "decoder": tied, "other": other})
    assert state.at_one_place("decoder", "embedding")
    assert not state.at_one_place("other", "embedding")
