"""KerasHub's arguments of a classifier: they do what they say, wherever the task goes."""

import json

import keras
import keras_hub
import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError

TEXTS = ["a fine film", "a dull film"]


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


CASES = [
    (kr.RobertaTextClassifier, "softmax", softmax, [0, 1]),
    (kr.RobertaTextClassifier, keras.activations.softmax, softmax, None),
    (kr.RobertaTextClassifier, "sigmoid", sigmoid, None),
    (kr.RobertaMultiLabelClassifier, "sigmoid", sigmoid, [[0], [0, 1]]),
]


def pair(cls, config, tokenizer, activation):
    """A task with an activation and one without, of the same weights."""
    tasks = [
        cls(
            kr.RobertaBackbone(config.replace(initializer_range=0.3)),
            num_classes=2,
            preprocessor=kr.RobertaPreprocessor(tokenizer, 16),
            hidden_dim=5,
            **given,
        )
        for given in (dict(activation=activation), {})
    ]
    for one, other in zip(tasks[0].weights, tasks[1].weights, strict=True):
        other.assign(one)
    return tasks


@pytest.mark.parametrize(("cls", "activation", "formula", "labels"), CASES)
def test_an_activation_on_the_outputs(
    config, tokenizer, tmp_path, cls, activation, formula, labels
):
    task, plain = pair(cls, config, tokenizer, activation)
    features = task.preprocessor(TEXTS)
    expected = formula(np.asarray(plain(features)))
    np.testing.assert_allclose(task(features), expected, atol=1e-6)
    # Answers do not depend on it.
    answers = plain.answers(TEXTS)
    for one, other in zip(task.answers(TEXTS), answers, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            if key in ("score", "scores"):
                np.testing.assert_allclose(one[key], other[key], atol=1e-5)
            else:
                assert one[key] == other[key]
    if labels is not None:  # nor does the loss
        found = task.evaluate(TEXTS, labels, verbose=0, return_dict=True)
        wanted = plain.evaluate(TEXTS, labels, verbose=0, return_dict=True)
        assert found == pytest.approx(wanted, abs=1e-4)
    # It is saved along.
    task.save_to_preset(tmp_path / "preset")
    again = cls.from_preset(tmp_path / "preset")
    np.testing.assert_allclose(again(features), expected, atol=1e-6)
    assert again.get_config()["hidden_dim"] == 5
    plain_again = cls.from_preset(tmp_path / "preset", activation=None)
    np.testing.assert_allclose(formula(np.asarray(plain_again(features))), expected, atol=1e-6)


def test_an_exported_file_has_no_second_softmax(config, tokenizer, tmp_path):
    task, plain = pair(kr.RobertaTextClassifier, config, tokenizer, "softmax")
    path = tmp_path / "m.tflite"
    export.to_tflite(task, path, inputs="tokens", quantization="none", sequence_lengths=(16,))
    found = export.load(path, tokenizer).predict(TEXTS)
    np.testing.assert_allclose(found["logits"], plain.predict(TEXTS, verbose=0), atol=1e-4)
    np.testing.assert_allclose(found["probabilities"], task.predict(TEXTS, verbose=0), atol=1e-4)
    # Of token ids alone the padding's do not count, wherever they stand.
    in_front = [[1, 1, *tokenizer(text)] for text in TEXTS]
    rows = np.array([row + [1] * (12 - len(row)) for row in in_front])
    again = export.load(path, tokenizer).predict({"token_ids": rows})
    np.testing.assert_allclose(again["logits"], found["logits"], atol=1e-5)


@pytest.mark.parametrize(
    ("cls", "given", "says"),
    [
        (kr.RobertaTextClassifier, dict(activation="relu"), "activation must be None or one of"),
        (kr.RobertaTextClassifier, dict(activation=np.tanh), "activation must be None or one of"),
        (kr.RobertaMultiLabelClassifier, dict(activation="softmax"), "must be None or sigmoid"),
    ],
)
def test_what_is_refused(config, cls, given, says):
    with pytest.raises(InputError, match=says):
        cls(kr.RobertaBackbone(config), 2, **given)


def test_transformers_has_no_place_for_another_width(config, tmp_path):
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2, hidden_dim=5)
    with pytest.raises(InputError, match=r"classifier.dense.weight .* \(5, 32\); .* \(32, 32\)"):
        task.save_to_hugging_face(tmp_path / "hf")
    assert not (tmp_path / "hf").exists()


def test_the_preset_by_kerashubs_base_classes(config, tokenizer, tmp_path):
    """Its `TextClassifier` and so on open our presets once our classes are imported."""
    masked_lm_cls = kr.RobertaMaskedLM
    task, _ = pair(kr.RobertaTextClassifier, config, tokenizer, "softmax")
    task.save_to_preset(tmp_path / "task")
    task.backbone.save_to_preset(tmp_path / "encoder")
    tokenizer.save(tmp_path / "encoder/assets/tokenizer")
    opened = keras_hub.models.TextClassifier.from_preset(str(tmp_path / "task"))
    assert type(opened) is kr.RobertaTextClassifier
    features = task.preprocessor(TEXTS)
    np.testing.assert_allclose(opened(opened.preprocessor(TEXTS)), task(features), atol=1e-6)
    new = keras_hub.models.TextClassifier.from_preset(str(tmp_path / "encoder"), num_classes=3)
    assert new(new.preprocessor(TEXTS)).shape == (2, 3)
    for source in ("task", "encoder"):
        encoder = keras_hub.models.Backbone.from_preset(str(tmp_path / source))
        np.testing.assert_allclose(encoder(features), task.backbone(features), atol=1e-6)
    masked_lm = keras_hub.models.MaskedLM.from_preset(str(tmp_path / "encoder"))
    assert type(masked_lm) is masked_lm_cls
    assert masked_lm.preprocessor.sequence_length == config.max_sequence_length


def test_the_preprocessor_of_a_checkpoint(config, tokenizer, tmp_path):
    preprocessor = kr.RobertaPreprocessor(tokenizer, 16, labels=["bad", "good"])
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), preprocessor=preprocessor)
    task.save_to_preset(tmp_path / "preset")
    task.save_to_hugging_face(tmp_path / "hf")
    for source, length in (("preset", 16), ("hf", config.max_sequence_length)):
        again = kr.RobertaPreprocessor.from_preset(tmp_path / source)
        assert again.tokenizer.fingerprint == tokenizer.fingerprint
        assert (again.sequence_length, again.labels) == (length, ("bad", "good"))
        masks = kr.RobertaMaskedLMPreprocessor.from_preset(tmp_path / source, mask_rate=0.3)
        assert (masks.sequence_length, masks.mask_rate) == (length, 0.3)
    shorter = kr.RobertaPreprocessor.from_preset(tmp_path / "hf", sequence_length=9, labels=None)
    assert (shorter.sequence_length, shorter.labels) == (9, None)


def test_a_keras_file_names_what_to_import(config, tmp_path):
    """Keras looks classes up where they are registered, so the file has to say where that is."""
    import zipfile

    kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        saved = json.loads(archive.read("config.json"))
    assert saved["module"] == "keras_roberta.tasks.text_classifier"
    assert saved["registered_name"] == "keras_roberta>RobertaTextClassifier"
