"""Compiled forward and backward pass on one device: the same training as Keras's own step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer
from keras_roberta.training.step import compiled_gradients
from keras_roberta.training.step.batch import Batch
from keras_roberta.training.step.gradients import gradients_of
from keras_roberta.training.step.loss import counted, model_loss

LENGTH, ROWS = 6, 10


class KerasStep(kr.RobertaTextClassifier):
    """Trains by Keras's own step."""

    def train_step(self, data):
        return keras.Model.train_step(self, data)


def make_task(config, jit_compile, dropout=0.0, cls=kr.RobertaTextClassifier, **kwargs):
    keras.utils.set_random_seed(1)
    config = config.replace(num_layers=1, dropout=dropout, attention_dropout=dropout)
    task = cls(kr.RobertaBackbone(config), num_classes=2)
    task.compile(finetuning_optimizer(1e-2, epsilon=1e-3), jit_compile=jit_compile, **kwargs)
    return task


def make_data(config, length=LENGTH):
    random = np.random.default_rng(0)
    token_ids = random.integers(5, config.vocabulary_size, (ROWS, length)).astype("int32")
    features = {"token_ids": token_ids, "padding_mask": np.ones_like(token_ids)}
    return features, random.integers(0, 2, ROWS).astype("int32")


@pytest.mark.parametrize(
    ("compiling", "fitting"),
    [
        ({}, dict(batch_size=4, class_weight={0: 1.0, 1: 3.0})),  # a last batch of 2
        (dict(steps_per_execution=2), dict(batch_size=5)),
        (dict(run_eagerly=True), dict(batch_size=5)),
    ],
    ids=["weights, last batch smaller", "steps_per_execution", "run_eagerly"],
)
def test_training_equals_that_of_keras(config, compiling, fitting):
    logs, weights = [], []
    for jit_compile, cls in (
        (False, KerasStep),
        (True, kr.RobertaTextClassifier),
        (False, kr.RobertaTextClassifier),
    ):
        task = make_task(config, jit_compile, cls=cls, **compiling)
        history = task.fit(*make_data(config), shuffle=False, verbose=0, **fitting)
        logs.append(history.history)
        weights.append([np.array(w) for w in task.trainable_variables])
    for log, found in zip(logs[1:], weights[1:], strict=True):
        assert log.keys() == logs[0].keys()
        for name in log:
            np.testing.assert_allclose(log[name], logs[0][name], rtol=1e-5, err_msg=name)
        for weight, usual in zip(found, weights[0], strict=True):
            np.testing.assert_allclose(weight, usual, atol=1e-5)


def test_single_batches_and_frozen_layers(config):
    task = make_task(config, True)
    task.backbone.trainable = False
    task.compile(finetuning_optimizer(1e-2), jit_compile=True)
    frozen = [np.array(w) for w in task.backbone.weights]
    losses = [task.train_on_batch(*make_data(config), return_dict=True)["loss"] for _ in range(5)]
    assert losses[-1] < losses[0]
    for weight, before in zip(task.backbone.weights, frozen, strict=True):
        np.testing.assert_array_equal(weight, before)


def test_dropout_is_drawn_anew_in_each_step(config):
    task = make_task(config, True, dropout=0.5)
    task.compile(keras.optimizers.SGD(0.0), jit_compile=True)  # the weights stay
    losses = {float(task.train_on_batch(*make_data(config))[0]) for _ in range(3)}
    assert len(losses) == 3


@pytest.mark.parametrize("known_when", ["running", "tracing"])
def test_many_shapes_are_named_once(known_when, monkeypatch, caplog):
    monkeypatch.setattr(compiled_gradients, "MANY_SHAPES", 2)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
    gradient_fn = compiled_gradients.compiled()(gradients_of(counted(model_loss)))

    def compute(x, y):
        return gradient_fn(model, Batch(x, y))

    if known_when == "running":
        any_rows = tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1))
        step = tf.function(lambda x, y: compute(x, y), input_signature=any_rows)
    else:
        step = tf.function(lambda x, y: compute(x, y))
    for size in (5, 6, 5, 7, 8):
        step(tf.ones((size, 3)), tf.ones((size, 1)))
    (warning,) = [r.getMessage() for r in caplog.records if r.name == "keras_roberta"]
    assert "5×3, 6×3, 7×3;" in warning and "jit_compile=False" in warning


@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 2}], ids=["", "parts"])
def test_transforms_read_the_number_of_the_step(settings):
    """Also where Keras's optimizer makes it from another variable."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.0, **settings), loss="mse")
    x, y = tf.ones((2, 1)), tf.zeros((2, 1))

    def numbered(loss_fn):
        def with_number(model, batch):
            step = tf.cast(tf.convert_to_tensor(model.optimizer.iterations), "float32")
            result = loss_fn(model, batch)
            return result._replace(loss=step * tf.reduce_sum(result.outputs))

        return with_number

    gradient_fn = compiled_gradients.compiled()(gradients_of(numbered(model_loss)))
    step, found = tf.function(lambda: gradient_fn(model, Batch(x, y))), []
    for _ in range(4):
        (gradient,) = step()
        found.append(float(gradient[0, 0]) / 2)
        model.optimizer.apply([gradient], model.trainable_variables)
    assert found == ([0, 0, 1, 1] if settings else [0, 1, 2, 3])


def saved_and_loaded(task, path):
    task.save(path)
    return keras.models.load_model(path)


def test_a_saved_task_is_compiled_as_it_was(config, tmp_path):
    usual = saved_and_loaded(make_task(config, False), tmp_path / "task.keras")
    assert usual.get_compile_config()["jit_compile"] is False
    task = make_task(config, True)
    task.train_on_batch(*make_data(config))
    again = saved_and_loaded(task, tmp_path / "task.keras")
    assert again.get_compile_config()["jit_compile"] is True
    first, second = (t.train_on_batch(*make_data(config))[0] for t in (task, again))
    assert first == pytest.approx(second, rel=1e-5)
