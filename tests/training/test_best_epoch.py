"""Scores after each epoch, and the weights of the best."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.training.runs.best_epoch import BestEpoch
from keras_roberta.training.workers.exchange import Exchange

X, Y = np.ones((4, 1), "float32"), np.full((4, 1), 9.0, "float32")


def fitted(
    scores, main_score="f1", patience=None, epochs=None, best=None, initial_epoch=0, first_epoch=1
):
    """A model whose weight grows by epoch, measured by given scores; its weight after each epoch.

    Args:
        scores: a value an epoch.
    """
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False)])
    model.build((None, 1))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    values = iter(scores)
    best = best or BestEpoch(
        lambda: {"f1": next(values)},
        main_score,
        patience=patience,
        exchange=Exchange(tf.distribute.get_strategy()),
        first_epoch=first_epoch,
    )
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: seen.append(float(np.array(model.weights[0])[0, 0]))
    )
    history = model.fit(
        X,
        Y,
        validation_data=(X, Y),
        epochs=epochs or len(scores),
        initial_epoch=initial_epoch,
        callbacks=[best, note],
        verbose=0,
    ).history
    return best, model, seen, history


def test_the_weights_of_the_best_epoch_are_put_back():
    best, model, seen, history = fitted([0.5, 0.7, 0.6, 0.7])
    assert best.epoch == 2 and best.scores == {"f1": 0.7}  # of two as good the first
    assert float(np.array(model.weights[0])[0, 0]) == seen[1] != seen[-1]
    assert history["val_f1"] == [0.5, 0.7, 0.6, 0.7]


def test_epochs_that_do_not_count():
    best, model, seen, history = fitted([0.9, 0.8, 0.5, 0.6, 0.4], patience=2, first_epoch=3)
    assert best.epoch == 4 and best.scores == {"f1": 0.6}
    assert float(np.array(model.weights[0])[0, 0]) == seen[3]
    assert history["val_f1"] == [0.9, 0.8, 0.5, 0.6, 0.4]


@pytest.mark.parametrize(
    ("scores", "patience", "trained", "best_epoch"),
    [
        ([0.5, 0.4, 0.6, 0.5, 0.4, 0.9], 2, 5, 3),
        ([0.5, 0.4, 0.6, 0.5, 0.4, 0.9], 3, 6, 6),
        ([0.5, 0.5, 0.5], 1, 2, 1),
        ([0.1, 0.2, 0.3], 1, 3, 3),
    ],
)
def test_patience(scores, patience, trained, best_epoch):
    best, _, seen, _ = fitted(scores, patience=patience)
    assert (len(seen), best.epoch) == (trained, best_epoch)


def test_a_score_that_is_no_number_is_worse_than_any():
    best, *_ = fitted([None, -0.5, None])
    assert best.epoch == 2
    best, *_ = fitted([None, float("nan")])
    assert best.epoch == 1


@pytest.mark.parametrize("main_score", [None, "accuracy"])
def test_without_the_score_the_validation_loss_decides(main_score):
    best, *_ = fitted([0.9, 0.1, 0.1], main_score=main_score)
    assert best.epoch == 3  # the loss falls


def test_what_it_remembers_counts_in_another_process():
    first, *_ = fitted([0.5, 0.7, 0.6])
    second = BestEpoch(
        lambda: {"f1": 0.65}, "f1", patience=2, exchange=Exchange(tf.distribute.get_strategy())
    )
    # Another model of the same names.
    _, model, *_ = fitted([0.1])
    path = model.trainable_variables[0].path
    second.restore(first.state(), dict.fromkeys([path], next(iter(first.weights.values()))))
    assert (second.epoch, second.scores) == (2, {"f1": 0.7})
    second.set_model(model)
    second.on_epoch_end(3, {})
    assert model.stop_training
    second.on_train_end()
    np.testing.assert_array_equal(np.array(model.weights[0]), next(iter(first.weights.values())))
