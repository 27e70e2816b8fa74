"""Averages of weights while they are measured, and rates that fall from layer to layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.training.fit_changes import changes_undone
from keras_roberta.training.optimizer import RobertaAdamW, ValidateAverages, layerwise_decay
from keras_roberta.training.optimizer.averaged_weights import averaged_weights
from keras_roberta.training.optimizer.rate_multipliers import RateMultipliers
from keras_roberta.training.runs.best_epoch import BestEpoch
from keras_roberta.training.workers.exchange import Exchange

X, Y, MOMENTUM = np.ones((4, 1), "float32"), np.full((4, 1), 9.0, "float32"), 0.7


@pytest.fixture
def model():
    """One weight, from 0 towards 9."""
    made = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False)]
    )
    optimizer = RobertaAdamW(0.1, weight_decay=0.0, use_ema=True, ema_momentum=MOMENTUM)
    made.compile(optimizer, "mse")
    return made


def test_the_best_epoch_is_measured_and_kept_as_averages(model):
    trained, measured = [], []

    def measure():
        measured.append(float(np.array(model.weights[0])[0, 0]))
        return {"f1": [0.1, 0.9, 0.5][len(measured) - 1]}

    best = BestEpoch(
        measure, "f1", exchange=Exchange(tf.distribute.get_strategy()), weights_as=averaged_weights
    )
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: trained.append(float(np.array(model.weights[0])[0, 0]))
    )
    history = model.fit(
        X, Y, batch_size=4, epochs=3, verbose=0, validation_data=(X, Y),
        callbacks=[ValidateAverages(), best, note],
    ).history  # fmt: skip
    averages = [trained[0]]
    for weight in trained[1:]:
        averages.append(MOMENTUM * averages[-1] + (1 - MOMENTUM) * weight)
    np.testing.assert_allclose(measured, averages, rtol=1e-5)
    np.testing.assert_allclose(history["val_loss"], (9 - np.array(averages)) ** 2, rtol=1e-5)
    np.testing.assert_allclose(np.array(model.weights[0])[0, 0], averages[1], rtol=1e-5)


def test_the_weights_are_put_back_to_the_last_bit(model):
    before = np.array(model.weights[0])
    with averaged_weights(model):  # before the first step there are no averages
        np.testing.assert_array_equal(model.weights[0], before)
    model.optimizer.build(model.trainable_variables)
    for _ in range(3):
        model.train_on_batch(X, Y)
    before = np.array(model.weights[0])
    with pytest.raises(ZeroDivisionError), averaged_weights(model):
        assert np.array(model.weights[0]) != before
        raise ZeroDivisionError
    np.testing.assert_array_equal(model.weights[0], before)


def test_the_weights_are_put_back_where_validation_stops(model):
    averages, trained = ValidateAverages(), []

    def note(batch, logs):
        trained.append(np.array(model.weights[0]))

    def stop(batch, logs):
        assert np.array(model.weights[0]) != trained[-1]
        raise KeyboardInterrupt

    watching = keras.callbacks.LambdaCallback(on_train_batch_end=note, on_test_batch_end=stop)
    callbacks = [averages, watching]
    with pytest.raises(KeyboardInterrupt), changes_undone(callbacks):
        model.fit(X, Y, batch_size=1, verbose=0, validation_data=(X, Y), callbacks=callbacks)
    np.testing.assert_array_equal(model.weights[0], trained[-1])


def test_rates_fall_from_layer_to_layer(config):
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), num_classes=2)
    factors = RateMultipliers(layerwise_decay(config.num_layers, 0.5))
    expected = {"embeddings": 1 / 8, "block_0": 1 / 4, "block_1": 1 / 2}
    seen = set()
    for weight in task.trainable_variables:
        parts = [part for part in weight.path.split("/")[:-1] if part in expected]
        assert len(parts) <= 1
        assert factors.factor(weight) == (expected[parts[0]] if parts else 1.0), weight.path
        seen.add(parts[0] if parts else "head")
    assert seen == {"head", *expected}
    for decay in (0, 1, -0.5, 1.5, True, "0.9"):
        with pytest.raises(InputError, match="decay must be above 0 and below 1"):
            layerwise_decay(2, decay)
