"""What only classifiers of one label have: balance, smoothing, calibration."""

import keras
import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError


@pytest.fixture
def task(config, tokenizer):
    config = config.replace(num_layers=1, hidden_dim=16, intermediate_dim=32, num_heads=2)
    config = config.replace(dropout=0.0, attention_dropout=0.0)
    preprocessor = kr.RobertaPreprocessor(tokenizer, sequence_length=16, labels=["bad", "good"])
    return kr.RobertaTextClassifier(kr.RobertaBackbone(config), preprocessor=preprocessor)


def test_balanced_weights_are_those_written_out(task, sentiment):
    """Three rows of one class and one of the other: n / (k * count) is 2/3 and 2."""
    texts, labels = sentiment[0][:4], ["bad", "bad", "bad", "good"]
    start, found = [np.array(v) for v in task.trainable_variables], []
    for weights in ("balanced", {"bad": 2 / 3, "good": 2.0}):
        for variable, value in zip(task.trainable_variables, start, strict=True):
            variable.assign(value)
        task.compile(keras.optimizers.SGD(0.1))
        task.fit(texts, labels, 2, shuffle=False, class_weight=weights, verbose=0)
        found.append([np.array(v) for v in task.trainable_variables])
    assert not all(np.array_equal(a, b) for a, b in zip(found[0], start, strict=True))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_balance_counts_what_is_trained_on(task):
    rows = [("a", 0), ("b", 1)]
    with pytest.raises(InputError, match="balanced.*counts labels in memory; give a dict"):
        task.fit((row for row in rows), class_weight="balanced", verbose=0)
    with pytest.raises(InputError, match='give "balanced", or a dict of factors'):
        task.fit(["a", "b"], [0, 1], class_weight="even", verbose=0)


def test_smoothing_spreads_a_share_of_each_label(task, sentiment):
    """Against the formula: targets 0.9 * one-hot + 0.1 / classes."""
    texts, labels = sentiment[0][:8], np.array(sentiment[1][:8])
    task.compile(loss=task.default_loss(label_smoothing=0.1))
    found = task.evaluate(texts, labels, verbose=0, return_dict=True)
    logits = np.asarray(task.predict(texts, verbose=0), "float64")
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    targets = 0.9 * np.eye(2)[labels] + 0.05
    expected = -(targets * log_probabilities).sum(axis=1).mean()
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert found["accuracy"] == np.mean(logits.argmax(axis=1) == labels)


def test_a_temperature_goes_where_the_model_goes(task, sentiment, tmp_path):
    texts, labels = sentiment[0][:8], [0, 0, 0, 1, 1, 0, 1, 1]
    before = task.answers(texts)
    found = task.calibrate(texts, labels)
    assert found["temperature"] == task.temperature != 1
    assert set(found) == {"temperature", "calibration_error", "calibration_error_before"}
    logits = np.asarray(task.predict(texts, verbose=0), "float64") / task.temperature
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    outputs = task.named_outputs(texts)
    np.testing.assert_allclose(outputs["probabilities"], expected, rtol=1e-5)
    assert [a["label"] for a in task.answers(texts)] == [a["label"] for a in before]
    again = task.calibrate(list(zip(texts, labels, strict=True)))  # it does not depend on the last
    assert again == found

    task.save_to_preset(tmp_path / "preset")
    assert kr.open_task(tmp_path / "preset").temperature == task.temperature
    task.save_to_hugging_face(tmp_path / "hf")
    assert kr.open_task(tmp_path / "hf").temperature == task.temperature
    export.to_tflite(task, tmp_path / "a.tflite", "none", sequence_lengths=(16,))
    export.to_saved_model(task, tmp_path / "saved")
    for path in (tmp_path / "a.tflite", tmp_path / "saved"):
        runner = export.load(path)
        np.testing.assert_allclose(
            runner.predict(texts)["probabilities"], expected, atol=1e-5, err_msg=path.name
        )
        assert runner.schema == task.schema


def test_a_new_head_has_no_temperature(task, tmp_path):
    task.temperature = 3.0
    task.save_to_preset(tmp_path / "preset")
    new = kr.RobertaTextClassifier.from_preset(tmp_path / "preset", load_head=False, num_classes=2)
    assert new.temperature == 1.0


def test_an_optimizer_of_keras_adds_no_weight(task, sentiment, tmp_path):
    """Its learning rate is a variable, which is none of the model's."""
    texts, labels = sentiment[0][:4], ["bad", "bad", "bad", "good"]
    paths = [weight.path for weight in task.weights]
    task.compile("sgd")
    task.fit(texts, labels, verbose=0)
    assert [weight.path for weight in task.weights] == paths
    task.save_to_preset(tmp_path / "preset")
    again = kr.open_task(tmp_path / "preset")
    np.testing.assert_allclose(
        again.predict(texts, verbose=0), task.predict(texts, verbose=0), atol=1e-6
    )
