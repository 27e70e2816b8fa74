"""Presets of KerasHub, which it writes and opens itself here; its models give the numbers."""

import json
import shutil

import keras_hub
import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.checkpoints.formats import format_named, open_checkpoint
from keras_roberta.errors import InputError
from keras_roberta.jobs.convert import convert
from keras_roberta.jobs.options.convert import ConvertOptions

SIZES = dict(num_layers=2, num_heads=2, hidden_dim=16, intermediate_dim=24, max_sequence_length=24)
TOKEN_IDS = np.array([[0, 8, 21, 9, 30, 2, 1, 1], [0, 39, 4, 17, 5, 6, 25, 2]], "int32")
INPUTS = {"token_ids": TOKEN_IDS, "padding_mask": (TOKEN_IDS != 1).astype("int32")}
POSITIONS = np.array([[1, 3], [2, 6]], "int32")
TEXTS = ["a fine film", "cold , and <mask> flat"]


def randomised(model):
    random = np.random.default_rng(3)
    for weight in model.weights:
        if "float" in str(weight.dtype):
            weight.assign_add(random.normal(0, 0.2, weight.shape))
    return model


@pytest.fixture(scope="module")
def theirs(tokenizer):
    """Tasks of KerasHub on one encoder, by their kind."""
    roberta = keras_hub.models.RobertaTokenizer(
        tokenizer.vocabulary, [f"{a} {b}" for a, b in tokenizer.merges]
    )
    backbone = keras_hub.models.RobertaBackbone(tokenizer.vocabulary_size, **SIZES)
    classifying = keras_hub.models.RobertaTextClassifierPreprocessor(roberta, sequence_length=20)
    filling = keras_hub.models.RobertaMaskedLMPreprocessor(roberta, sequence_length=20)
    tasks = {
        "classifier": keras_hub.models.RobertaTextClassifier(
            backbone, 3, classifying, hidden_dim=12, dropout=0.3
        ),
        "masked-lm": keras_hub.models.RobertaMaskedLM(backbone, filling),
    }
    return {name: randomised(task) for name, task in tasks.items()}


@pytest.fixture(scope="module")
def presets(theirs, tmp_path_factory):
    directory = tmp_path_factory.mktemp("keras-hub")
    for name, task in theirs.items():
        task.save_to_preset(str(directory / name))
    xlm = keras_hub.models.XLMRobertaBackbone(40, **SIZES)
    randomised(xlm).save_to_preset(str(directory / "xlm"))
    np.save(directory / "xlm.npy", np.asarray(xlm(INPUTS)))
    return directory


# === Read ===


def test_a_classifier(theirs, presets, tokenizer):
    task = kr.open_task(presets / "classifier")
    assert type(task) is kr.RobertaTextClassifier
    features = task.preprocessor(TEXTS)
    assert task.preprocessor.tokenizer == tokenizer and task.preprocessor.sequence_length == 20
    expected = np.asarray(theirs["classifier"](dict(features)))
    np.testing.assert_allclose(np.asarray(task(features)), expected, atol=1e-4)
    assert (task.head.hidden_dim, task.head.dropout_rate) == (12, 0.3)


def test_a_language_model(theirs, presets):
    task = kr.open_task(presets / "masked-lm")
    inputs = {**INPUTS, "mask_positions": POSITIONS}
    expected = np.asarray(theirs["masked-lm"](inputs))
    np.testing.assert_allclose(np.asarray(task(inputs)), expected, atol=1e-4)


def test_an_encoder_of_xlm_r(presets):
    backbone = kr.RobertaBackbone.from_preset(presets / "xlm")
    real = TOKEN_IDS != 1
    found = np.asarray(backbone(INPUTS))
    np.testing.assert_allclose(found[real], np.load(presets / "xlm.npy")[real], atol=1e-4)


def task_json(directory, **changes):
    """Changes arguments of the task in a preset."""
    path = directory / "task.json"
    values = json.loads(path.read_text())
    values["config"] |= changes
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("activation", "classes", "cls"),
    [
        ("linear", 3, kr.RobertaTextClassifier),
        ("softmax", 3, kr.RobertaTextClassifier),
        ("sigmoid", 3, kr.RobertaMultiLabelClassifier),
        ("linear", 1, kr.RobertaTextRegressor),
        ("sigmoid", 1, None),
    ],
)
def test_what_a_classifier_is_for(presets, tmp_path, activation, classes, cls):
    directory = shutil.copytree(presets / "classifier", tmp_path / "preset")
    task_json(directory, activation=activation, num_classes=classes)
    checkpoint = open_checkpoint(directory)
    tasks = (kr.RobertaTextClassifier, kr.RobertaMultiLabelClassifier, kr.RobertaTextRegressor)
    found = [task for task in tasks if checkpoint.task_settings(task) is not None]
    assert found == ([] if cls is None else [cls])
    if cls is None:
        assert checkpoint.heads_unread_by(None) == ["TextClassifier of one output with sigmoid"]
    elif activation != "linear":
        assert checkpoint.task_settings(cls)["activation"] == activation


def test_an_embedder(tmp_path, presets):
    directory = shutil.copytree(presets / "xlm", tmp_path / "preset")
    name = "keras_hub>XLMRobertaTextEmbedder"
    task = {"registered_name": name, "config": {"pooling_mode": "cls", "normalize": False}}
    (directory / "task.json").write_text(json.dumps(task))
    settings = open_checkpoint(directory).task_settings(kr.RobertaTextEmbedder)
    assert settings == {"pooling": "cls", "normalize": False, "preprocessor": {}}
    task_json(directory, pooling_mode="max")
    with pytest.raises(InputError, match="task.json: config.pooling_mode is 'max'; this library"):
        open_checkpoint(directory).task_settings(kr.RobertaTextEmbedder)


# === Refused ===


def config_json(directory, **changes):
    path = directory / "config.json"
    values = json.loads(path.read_text())
    values["config"] |= changes
    path.write_text(json.dumps(values))


def test_another_family_is_named(tmp_path):
    content = {"registered_name": "keras_hub>BertBackbone", "config": {}}
    (tmp_path / "config.json").write_text(json.dumps(content))
    message = "config.json: registered_name is 'keras_hub>BertBackbone'; .*XLMRobertaBackbone"
    with pytest.raises(InputError, match=message):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(num_layers="2"), "config.json: config.num_layers: expected a whole number"),
        (dict(num_heads=3), "config.json: .*hidden_dim must be divisible by num_heads=3"),
        (dict(num_layers=500), "config.json makes an encoder of .*they are not of one model"),
        (dict(intermediate_dim=20), "model.weights.h5: does not hold this model's weights"),
    ],
)
def test_configs_that_do_not_fit(presets, tmp_path, changes, says):
    directory = shutil.copytree(presets / "xlm", tmp_path / "preset")
    config_json(directory, **changes)
    with pytest.raises(InputError, match=says) as caught:
        kr.RobertaBackbone.from_preset(directory)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(activation="relu"), "task.json: config.activation is 'relu'; this library reads"),
        (dict(num_classes="3"), "task.json: config.num_classes: expected a whole number"),
        (dict(num_classes=9000), "task.json makes a head of .* numbers, and task.weights.h5 has"),
    ],
)
def test_heads_that_do_not_fit(presets, tmp_path, changes, says):
    directory = shutil.copytree(presets / "classifier", tmp_path / "preset")
    task_json(directory, **changes)
    with pytest.raises(InputError, match=says):
        kr.open_task(directory)


def test_a_head_that_does_not_fit_is_left_out_when_asked(presets, tmp_path):
    directory = shutil.copytree(presets / "classifier", tmp_path / "preset")
    task_json(directory, activation="relu")
    assert open_checkpoint(directory).heads_unread_by(None) == ["TextClassifier"]
    options = ConvertOptions(to="hugging-face", drop_heads=True)
    assert convert(directory, tmp_path / "out", options) == "RobertaBackbone"


# === Written ===


def test_keras_hub_opens_what_is_written(theirs, presets, tmp_path):
    """A classifier with token types, which KerasHub's models do not have."""
    config = open_checkpoint(presets / "classifier").config
    task = kr.open_task(presets / "classifier")
    with_types = kr.RobertaBackbone(config.replace(num_token_types=2))
    for name, weight in task.backbone.weights_by_name().items():
        with_types.weights_by_name()[name].assign(weight)
    own = kr.RobertaTextClassifier(with_types, 3, task.preprocessor, hidden_dim=12)
    for name, weight in task.head_weights_by_name().items():
        own.head_weights_by_name()[name].assign(weight)
    format_named("keras-hub").save(own, tmp_path / "out")
    again = keras_hub.models.TextClassifier.from_preset(str(tmp_path / "out"))
    assert type(again) is keras_hub.models.RobertaTextClassifier
    expected = np.asarray(own(INPUTS))
    assert not np.allclose(expected, np.asarray(task(INPUTS)), atol=1e-3)
    np.testing.assert_allclose(np.asarray(again(INPUTS)), expected, atol=1e-4)
    assert again.preprocessor.sequence_length == 20
    roberta = again.preprocessor.tokenizer
    assert dict(roberta.vocabulary) == task.preprocessor.tokenizer.vocabulary
    assert list(roberta.merges) == [f"{a} {b}" for a, b in task.preprocessor.tokenizer.merges]


def test_a_language_model_there_and_back(theirs, presets, tmp_path):
    for i, to in enumerate(("hugging-face", "keras-hub")):
        source = tmp_path / str(i - 1) if i else presets / "masked-lm"
        assert convert(source, tmp_path / str(i), ConvertOptions(to=to)) == "RobertaMaskedLM"
    again = keras_hub.models.MaskedLM.from_preset(str(tmp_path / "1"), preprocessor=None)
    inputs = {**INPUTS, "mask_positions": POSITIONS}
    expected = np.asarray(theirs["masked-lm"](inputs))
    np.testing.assert_allclose(np.asarray(again(inputs)), expected, atol=1e-4)


def test_heads_without_a_place(presets, tmp_path):
    backbone = kr.RobertaBackbone.from_preset(presets / "xlm")
    untied = kr.RobertaBackbone(backbone.config.replace(tie_word_embeddings=False))
    for task, name in (
        (kr.RobertaTokenClassifier(backbone, 3), "token_classification_head"),
        (kr.RobertaTextEmbedder(backbone), "how vectors are made"),
        (kr.RobertaMaskedLM(untied), "masked_lm_head"),
    ):
        with pytest.raises(InputError, match=f"keras-hub has no place for .*{name}"):
            format_named("keras-hub").save(task, tmp_path / "out")


def test_a_config_and_a_tokenizer_that_it_does_not_have(presets, tokenizer, tmp_path, caplog):
    backbone = kr.RobertaBackbone.from_preset(presets / "xlm")
    other = kr.RobertaBackbone(backbone.config.replace(layer_norm_epsilon=1e-6, num_layers=1))
    with pytest.raises(InputError, match="layer_norm_epsilon is 1e-06; KerasHub's RoBERTa has"):
        format_named("keras-hub").save(other, tmp_path / "out")
    fast = kr.RobertaBackbone(backbone.config.replace(attention_dropout=0.0, num_layers=1))
    format_named("keras-hub").save(fast, tmp_path / "fast")
    assert "one rate of dropout, here 0.1; it loses attention_dropout=0" in caplog.text
    added = kr.RobertaTokenizer(tokenizer.vocabulary, tokenizer.merges)
    added.add_tokens(["<ent>"])
    fitting = kr.RobertaBackbone(other.config.replace(vocabulary_size=added.vocabulary_size))
    with pytest.raises(InputError, match="has no added tokens; the tokenizer has '<ent>'"):
        format_named("keras-hub").save(fitting, tmp_path / "out", tokenizer=added)
    with pytest.raises(InputError, match="out: the tokenizer's largest id is .*not of one model"):
        format_named("keras-hub").save(backbone, tmp_path / "out", tokenizer=tokenizer)
    assert not (tmp_path / "out").exists()
