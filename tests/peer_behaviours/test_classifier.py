"""What both peers' tests ask of the classifier."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from peer_harness import (
    FEATURES,
    TOKENS,
    TRAIN,
    Refused,
    behaviours,
    check_numbers,
    encoder,
    json_round_trip,
    of,
    small_encoder,
)

import keras_roberta as kr


def dataset():
    return tf.data.Dataset.from_tensor_slices(TRAIN).batch(2)


@functools.cache
def mapped(preprocessor):
    """What `fit` takes without a preprocessor: a dataset that the preprocessor was mapped over."""
    return dataset().map(preprocessor)


def without_preprocessor(run):
    """Runs something on a task that has none, and puts it back."""

    def done(task):
        preprocessor, data = task.preprocessor, mapped(task.preprocessor)
        task.preprocessor = None
        try:
            return run(task, data)
        finally:
            task.preprocessor = preprocessor

    return done


def printed(task):
    lines = []
    task.summary(print_fn=lambda line, **_: lines.append(line))
    return "\n".join(lines)


def new_classifier(task, **settings):
    return kr.RobertaTextClassifier(task.backbone, preprocessor=task.preprocessor, **settings)


@behaviours(
    {
        "what the preprocessor gives is what the model takes": (
            lambda task: sorted(task.preprocessor(TRAIN[0])) == sorted(task.input),
            True,
        ),
        "logits of texts": (lambda task: task.predict(TRAIN[0], verbose=0).shape, (3, 2)),
        "of a dataset the same": (
            lambda task: task.predict(dataset(), verbose=0),
            lambda task: task.predict(TRAIN[0], verbose=0),
        ),
        "of a dataset that was preprocessed the same": (
            without_preprocessor(lambda task, data: task.predict(data, verbose=0)),
            lambda task: task.predict(TRAIN[0], verbose=0),
        ),
        "of one text the same as among others": (
            lambda task: task.predict(TRAIN[0][1:2], verbose=0),
            lambda task: task.predict(TRAIN[0], verbose=0)[1:2],
        ),
        "of token ids": (lambda task: task.predict(FEATURES, verbose=0).shape, (2, 2)),
        "its configuration, through JSON": (json_round_trip, True),
        "a summary with the preprocessor": (lambda task: "Preprocessor" in printed(task), True),
        "a summary without": (
            lambda task: "Preprocessor" in printed(kr.RobertaTextClassifier(task.backbone, 2)),
            False,
        ),
        "probabilities on request": (
            lambda task: np.asarray(new_classifier(task, activation="softmax")(FEATURES)).sum(1),
            lambda task: np.ones(2),
        ),
        "the loss then reads probabilities": (
            lambda task: new_classifier(task, activation="softmax").loss.get_config()[
                "from_logits"
            ],
            False,
        ),
        "and logits otherwise": (
            lambda task: new_classifier(task).loss.get_config()["from_logits"],
            True,
        ),
        "another width of the head": (
            lambda task: new_classifier(task, hidden_dim=5).head.dense.kernel.shape,
            (8, 5),
        ),
        "a misspelt argument is refused": (
            lambda task: new_classifier(task, hiden_dim=5),
            Refused("hidden_dim"),
        ),
        "not compiled, it does not fit": (
            lambda task: new_classifier(task, compile=False).fit(*TRAIN, verbose=0),
            Refused("compile"),
        ),
        "a label and its score": (
            lambda task: [sorted(answer) for answer in task.answers(TRAIN[0])],
            [["label", "score"]] * 3,
        ),
        "the label is one of its own": (
            lambda task: {answer["label"] for answer in task.answers(TRAIN[0])} <= {"dry", "wet"},
            True,
        ),
        "of one string": (lambda task: len(task.answers("rain day")), 1),
        "the scores of all labels": (
            lambda task: [
                round(sum(answer["all_scores"].values()), 4)
                for answer in task.answers(TRAIN[0], all_scores=True)
            ],
            [1.0] * 3,
        ),
        "of pairs by name": (
            lambda task: len(task.answers({"text": ["rain"], "text_pair": ["day"]})),
            1,
        ),
        "None is no text": (lambda task: task.answers([None]), Refused("None")),
        "vectors of texts": (
            lambda task: task.backbone(task.preprocessor(TRAIN[0]))[:, 0].shape,
            (3, 8),
        ),
        "a larger vocabulary gives the same answers": (
            lambda task: of(task.resize_vocabulary(len(TOKENS) + 8)(FEATURES)),
            lambda task: of(task(FEATURES)),
        ),
        "one class is a regression": (
            lambda task: type(kr.RobertaTextClassifier(task.backbone, 1)).__name__,
            "RobertaTextRegressor",
        ),
    }
)
def test_classifier(done, expected, classifier):
    check_numbers(done, expected, classifier)


@pytest.fixture(scope="module")
def trained(classifier):
    """A task to train on, so that the others' stays as it is."""
    backbone = small_encoder()
    task = kr.RobertaTextClassifier(backbone, preprocessor=classifier.preprocessor)
    task.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    return task


@behaviours(
    {
        "texts and labels": (lambda task: task.fit(*TRAIN, verbose=0), None),
        "with weights": (
            lambda task: task.fit(*TRAIN, sample_weight=np.array([1.0, 0.5, 0.0]), verbose=0),
            None,
        ),
        "a dataset": (lambda task: task.fit(dataset(), verbose=0), None),
        "a dataset that was preprocessed": (
            without_preprocessor(lambda task, data: task.fit(data, verbose=0)),
            None,
        ),
        "token ids": (lambda task: task.fit(FEATURES, np.array([0, 1]), verbose=0), None),
    }
)
def test_fit(done, expected, trained):
    before = trained.get_weights()
    assert np.isfinite(done(trained).history["loss"]).all()
    after = trained.get_weights()
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_fit_changes_every_weight(trained):
    """No weight of the model is without a gradient."""
    task = kr.RobertaTextClassifier(trained.backbone, preprocessor=trained.preprocessor)
    task.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    before = {weight.path: np.array(weight) for weight in task.trainable_weights}
    task.train_on_batch(["rain day"] * 2, np.array([0, 1]))
    same = [w.path for w in task.trainable_weights if np.array_equal(before[w.path], np.array(w))]
    assert same == []


def test_fit_of_a_frozen_encoder_changes_the_head_alone(classifier):
    backbone = small_encoder()
    backbone.trainable = False
    task = kr.RobertaTextClassifier(backbone, preprocessor=classifier.preprocessor)
    task.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    before, head = backbone.get_weights(), np.array(task.head.dense.kernel)
    task.fit(*TRAIN, verbose=0)
    for one, other in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(head, np.array(task.head.dense.kernel))


def test_fit_with_blocks_computed_twice(classifier):
    """Gradient checkpointing, here `remat`: the same losses."""
    losses = []
    for remat in (False, True):
        keras.utils.set_random_seed(3)
        backbone = encoder(num_layers=1, dropout=0.0, attention_dropout=0.0, seed=3, remat=remat)
        task = kr.RobertaTextClassifier(backbone, preprocessor=classifier.preprocessor)
        task.compile(keras.optimizers.SGD(0.5), run_eagerly=True)
        losses.append([task.train_on_batch(*TRAIN)[0] for _ in range(3)])
    np.testing.assert_allclose(*losses, atol=1e-5)


def test_classifier_in_a_keras_file(classifier, tmp_path):
    classifier.save(tmp_path / "task.keras")
    again = keras.models.load_model(tmp_path / "task.keras")
    assert type(again) is kr.RobertaTextClassifier
    np.testing.assert_array_equal(again(FEATURES), classifier(FEATURES))


def test_classifier_quantised_and_saved(classifier, tmp_path):
    backbone = small_encoder()
    task = kr.RobertaTextClassifier(backbone, preprocessor=classifier.preprocessor)
    task.quantize("int8", filters="classification_head")  # the rest takes longer than it shows
    task.save_to_preset(tmp_path)
    again = kr.RobertaTextClassifier.from_preset(tmp_path)
    np.testing.assert_array_equal(again(FEATURES), task(FEATURES))
    floats = kr.RobertaTextClassifier.from_preset(tmp_path, load_weights=False, dtype="float32")
    assert floats.head.dense.kernel.dtype == "float32"
