"""Labels as the losses of classes take them: numbers, names, one-hot and soft labels."""

import keras
import numpy as np
import pytest
from task_cases import CONFIG, TEXTS

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.layers.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_roberta.tasks.class_losses import takes_class_numbers

NUMBERS = [0, 1, 2] * 3 + [0]
NAMES = [("bad", "fair", "good")[number] for number in NUMBERS]
ONE_HOT = np.eye(3)[NUMBERS]
SOFT = ONE_HOT * 0.7 + 0.1


@pytest.fixture(scope="module")
def classifier(tokenizer):
    keras.utils.set_random_seed(3)
    preprocessor = kr.RobertaPreprocessor(tokenizer, 24, labels=["bad", "fair", "good"])
    return kr.RobertaTextClassifier(kr.RobertaBackbone(CONFIG), preprocessor=preprocessor)


def cross_entropy(logits, targets):
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -(targets * logs).sum(axis=1).mean()


# loss, labels, what they mean
GOOD = {
    "by default, one-hot": ("auto", ONE_HOT, ONE_HOT),
    "by default, lists": ("auto", ONE_HOT.tolist(), ONE_HOT),
    "sparse by name": ("sparse_categorical_crossentropy", NUMBERS, ONE_HOT),
    "dense by name": ("categorical_crossentropy", SOFT, SOFT),
    "dense, one-hot": ("CategoricalCrossentropy", ONE_HOT, ONE_HOT),
    "dense, numbers": ("categorical_crossentropy", NUMBERS, ONE_HOT),
    "dense, names": ("categorical_crossentropy", NAMES, ONE_HOT),
    "dense object": (keras.losses.CategoricalCrossentropy(from_logits=True), NAMES, ONE_HOT),
    "function": (keras.losses.sparse_categorical_crossentropy, NAMES, ONE_HOT),
    "dense function": (keras.losses.categorical_crossentropy, SOFT, SOFT),
    "in a list": (["sparse_categorical_crossentropy"], NAMES, ONE_HOT),
    "whatever fits": ("crossentropy", ONE_HOT, ONE_HOT),
    "smoothed": (
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3), NUMBERS, SOFT,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
def test_labels_and_losses(classifier, case):
    loss, labels, meaning = GOOD[case]
    classifier.compile(loss=loss, run_eagerly=True)
    logits = classifier.predict(TEXTS, verbose=0)
    found = classifier.test_on_batch(TEXTS, labels, return_dict=True)
    assert found["loss"] == pytest.approx(cross_entropy(logits, meaning), abs=1e-5)
    accuracy = np.mean(logits.argmax(axis=1) == meaning.argmax(axis=1))
    assert found["accuracy"] == pytest.approx(accuracy)


def test_soft_labels_are_trained_on_and_weighed(classifier):
    classifier.compile("sgd", loss="categorical_crossentropy")
    history = classifier.fit(TEXTS, SOFT, class_weight={"good": 2.0}, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_soft_labels_for_a_loss_of_numbers(classifier):
    classifier.compile()
    with pytest.raises(InputError, match="probabilities.* compile.loss='categorical_crossentropy'"):
        classifier.fit(TEXTS, SOFT)


def test_soft_marks_of_many_labels(tokenizer):
    preprocessor = kr.RobertaPreprocessor(tokenizer, 24, labels=["a", "b", "c"])
    task = kr.RobertaMultiLabelClassifier(kr.RobertaBackbone(CONFIG), preprocessor=preprocessor)
    logits = task.predict(TEXTS, verbose=0)
    logs = np.log(1 / (1 + np.exp(-logits))), np.log(1 / (1 + np.exp(logits)))
    expected = -(SOFT * logs[0] + (1 - SOFT) * logs[1]).mean()
    for loss in ("auto", "binary_crossentropy"):
        task.compile(loss=loss)
        found = task.test_on_batch(TEXTS, SOFT, return_dict=True)["loss"]
        assert found == pytest.approx(expected, abs=1e-5)
    with pytest.raises(InputError, match="class_weight: only where each text has one class"):
        task.fit(TEXTS, SOFT, class_weight={0: 1.0})


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("sparse_categorical_crossentropy", True),
        (keras.losses.sparse_categorical_crossentropy, True),
        (keras.losses.SparseCategoricalCrossentropy(), True),
        ("kl_divergence", False),
        (keras.losses.CategoricalFocalCrossentropy(), False),
        (keras.losses.MeanSquaredError(), False),
        ("mse", False),
        (["sparse_categorical_crossentropy"], True),
        ("none of Keras's", None),
        (lambda y, logits: logits, None),
        (None, None),
    ],
)
def test_what_a_loss_takes(loss, expected):
    assert takes_class_numbers(loss) is expected


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_outputs_that_a_loss_misreads(classifier, caplog, activation):
    preprocessor = classifier.preprocessor
    task = kr.RobertaTextClassifier(
        classifier.backbone, preprocessor=preprocessor, activation=activation
    )
    for from_logits in (True, False):
        caplog.clear()
        task.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits))
        wrong = from_logits == (activation == "softmax")
        assert bool(caplog.messages) == wrong
        if wrong:
            assert f"give it from_logits={not from_logits}" in caplog.text


def test_accuracy_of_many_labels(tokenizer):
    """By Keras's name; of logits, each yes and no counts."""
    preprocessor = kr.RobertaPreprocessor(tokenizer, 24, labels=["a", "b", "c"])
    task = kr.RobertaMultiLabelClassifier(kr.RobertaBackbone(CONFIG), preprocessor=preprocessor)
    expected = np.mean((task.predict(TEXTS, verbose=0) > 0) == ONE_HOT)
    for metrics in (["accuracy"], ("acc",)):
        task.compile(loss="bce", metrics=metrics)
        found = task.test_on_batch(TEXTS, ONE_HOT, return_dict=True)
        assert found["accuracy"] == pytest.approx(expected)


def test_targets_by_objective_in_single_batches():
    """Of a task with several losses at once, by their names."""
    task = kr.RobertaPretrainer(kr.RobertaBackbone(CONFIG), objectives=("mlm", "sop"))
    task.compile("sgd")
    ids = np.random.default_rng(0).integers(5, 300, (4, 8)).astype("int32")
    features = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    features["mask_positions"] = np.tile(np.array([3, 5], "int32"), (4, 1))
    targets = {"mlm": ids[:, [3, 5]], "sop": np.array([0, 1, 0, 1], "int32")}
    before = task.test_on_batch(features, targets, return_dict=True)
    assert set(before) >= {"mlm_loss", "sop_loss"}
    trained = task.train_on_batch(features, targets, return_dict=True)
    assert trained["loss"] > 0


def test_labels_alone_tell_how_many_classes(classifier, tmp_path):
    classifier.save_to_preset(tmp_path / "preset")
    renamed = kr.RobertaTextClassifier.from_preset(tmp_path / "preset", labels=["x", "y", "z"])
    assert renamed.labels == ("x", "y", "z")
    kernels = (task.head_weights_by_name()["out/kernel"] for task in (renamed, classifier))
    np.testing.assert_array_equal(*map(np.array, kernels))
    other = kr.RobertaTextClassifier.from_preset(tmp_path / "preset", labels=["no", "yes"])
    assert other.num_classes == 2 and other.labels == ("no", "yes")


def test_smoothed_labels_by_number():
    """As Keras's loss of probabilities; options that are not there have no part in it."""
    logits = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    labels = np.random.default_rng(1).integers(0, 4, (3, 5))
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    found = SmoothedCrossEntropy(0.3)
    one_hot = np.eye(4, dtype="float32")[labels]
    assert float(found(labels, logits)) == pytest.approx(float(expected(one_hot, logits)), rel=1e-5)
    again = SmoothedCrossEntropy.from_config(found.get_config())
    padded = np.concatenate([logits, np.full((3, 5, 2), -1e9, "float32")], axis=-1)
    assert float(again(labels, padded)) == pytest.approx(float(found(labels, logits)), rel=1e-5)
