"""Keras's callbacks, and a learning rate that is set, in training with our optimizers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.training.optimizer import RobertaAdamW, finetuning_optimizer

ROWS, LENGTH = 8, 6


def make_task(config, optimizer=None, **compiling):
    keras.utils.set_random_seed(1)
    config = config.replace(num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=16)
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), num_classes=2)
    task.compile(optimizer or finetuning_optimizer(1e-2), jit_compile=False, **compiling)
    return task


@pytest.fixture
def data(config):
    ids = np.random.default_rng(0).integers(5, config.vocabulary_size, (ROWS, LENGTH))
    ids = ids.astype("int32")
    labels = np.arange(ROWS) % 2
    return {"token_ids": ids, "padding_mask": np.ones_like(ids)}, labels


def fit(task, data, epochs=1, callbacks=(), **kwargs):
    return task.fit(
        *data, batch_size=4, epochs=epochs, callbacks=list(callbacks), verbose=0, **kwargs
    ).history


def weights(task):
    return np.concatenate([np.ravel(np.array(v)) for v in task.trainable_variables])


def moves(task, data, **kwargs):
    """Whether training changes the weights, which it does not at a rate of 0."""
    before = weights(task)
    fit(task, data, **kwargs)
    return not np.array_equal(weights(task), before)


class Constant(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, step):
        return self.rate

    def get_config(self):
        return {"rate": self.rate}


FORMS = {
    "numpy": np.float32,
    "a Keras variable": lambda rate: keras.Variable(rate),
    "a TensorFlow variable": lambda rate: tf.Variable(rate, dtype="float32"),
    "a schedule": Constant,
    "a function": lambda rate: lambda: rate,
}
STARTS = {
    "the default schedule": lambda: finetuning_optimizer(1e-2),
    "a schedule of Keras": lambda: RobertaAdamW(
        keras.optimizers.schedules.CosineDecay(1e-2, 1000), weight_decay=0.1
    ),
    "a number": lambda: RobertaAdamW(1e-2, weight_decay=0.1),
    "Keras's own update": lambda: finetuning_optimizer(1e-2, clip_norm=None, clipvalue=1.0),
    "float16": lambda: keras.optimizers.LossScaleOptimizer(finetuning_optimizer(1e-2)),
}
STEPS = {
    "plain": {},
    "accumulated": dict(gradient_accumulation_steps=2),
    "eager": dict(run_eagerly=True),
}


@pytest.mark.parametrize("start", STARTS)
def test_a_number_that_is_set_holds(config, data, start):
    task = make_task(config, STARTS[start]())
    assert moves(task, data)
    for rate, moving in ((0.0, False), (0.5, True)):
        task.optimizer.learning_rate = rate
        assert float(task.optimizer.learning_rate) == rate
        assert moves(task, data) == moving


def test_other_forms_of_a_rate(config, data):
    task = make_task(config)
    assert moves(task, data)
    for name, form in FORMS.items():
        for rate in (0.5, 0.0):
            task.optimizer.learning_rate = form(rate)
            assert float(task.optimizer.learning_rate) == rate, name
        assert not moves(task, data), name


@pytest.mark.parametrize("step", STEPS)
def test_a_rate_that_a_callback_sets_holds_from_the_next_step(config, data, step):
    task = make_task(config, **STEPS[step])
    fit(task, data)
    for form in (float, Constant)[: 2 if step == "plain" else 1]:  # 0 from the first step on
        task.optimizer.learning_rate = 0.5
        seen = []

        def set_rate(batch, logs, task=task, form=form, seen=seen):
            seen.append(weights(task))
            task.optimizer.learning_rate = form(0.0)

        fit(task, data, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=set_rate)])
        np.testing.assert_array_equal(seen[0], seen[1])


def test_callbacks_that_set_the_rate(config, data):
    task = make_task(config)
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (epoch + 1))
    rates = fit(task, data, epochs=3, callbacks=[scheduler])["learning_rate"]
    np.testing.assert_allclose(rates, [0.1, 0.05, 0.1 / 3], rtol=1e-6)
    plateau = keras.callbacks.ReduceLROnPlateau(
        "loss", factor=0.5, patience=1, min_delta=1e9, min_lr=0.01
    )
    rates = fit(task, data, epochs=4, callbacks=[plateau])["learning_rate"]
    # The first epoch is the best one; each later one is no better and halves the rate.
    np.testing.assert_allclose(rates, [0.1 / 3, 0.1 / 3, 0.1 / 6, 0.01], rtol=1e-6)


@pytest.mark.parametrize("rate", [-1.0, float("nan")])
def test_rates_that_are_wrong(rate):
    with pytest.raises(InputError, match="learning_rate must be a number of at least 0"):
        RobertaAdamW(0.1).learning_rate = rate


@pytest.mark.parametrize("callback", ["ReduceLROnPlateau", "LearningRateScheduler"])
def test_a_schedule_of_another_optimizer_is_named_before_training(config, data, callback):
    task = make_task(config, keras.optimizers.Adam(Constant(0.1)))
    made = {
        "ReduceLROnPlateau": lambda: keras.callbacks.ReduceLROnPlateau("loss"),
        "LearningRateScheduler": lambda: keras.callbacks.LearningRateScheduler(lambda *_: 0.1),
    }[callback]()
    with pytest.raises(InputError, match=f"{callback} sets the learning rate, but Adam has a"):
        fit(task, data, callbacks=[made])


def test_the_rate_is_kept_with_the_model(config, data, tmp_path):
    task = make_task(config)
    fit(task, data)
    task.optimizer.learning_rate = 0.125
    task.save(tmp_path / "task.keras")
    task.save_weights(tmp_path / "task.weights.h5")
    other = make_task(config)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "task.weights.h5")
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(task.optimizer))
    opened = keras.models.load_model(tmp_path / "task.keras")
    for optimizer in (opened.optimizer, other.optimizer, copy):
        assert float(optimizer.learning_rate) == 0.125
    np.testing.assert_array_equal(weights(opened), weights(task))


class Interrupted(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def test_an_interrupted_run_goes_on(config, data, tmp_path):
    def callbacks(*more):
        scheduler = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: epoch or halve(task.optimizer)
        )
        return [scheduler, keras.callbacks.BackupAndRestore(tmp_path / "backup"), *more]

    def halve(optimizer):
        optimizer.learning_rate = 0.5 * float(optimizer.learning_rate)

    config = config.replace(dropout=0.0, attention_dropout=0.0)
    task = make_task(config)
    whole = fit(task, data, 4, callbacks(), shuffle=False)["loss"]
    task = make_task(config)
    with pytest.raises(KeyboardInterrupt):
        fit(task, data, 4, callbacks(Interrupted()), shuffle=False)
    task = make_task(config)
    rest = fit(task, data, 4, callbacks(), shuffle=False)["loss"]
    np.testing.assert_allclose(rest, whole[2:], rtol=1e-5)


def test_callbacks_that_keep_weights(config, data, tmp_path):
    task = make_task(config, finetuning_optimizer(0.05, use_ema=True, ema_momentum=0.5))
    seen = []
    record = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(weights(task)),
        on_train_batch_begin=lambda batch, logs: seen.append(batch),
        on_train_batch_end=lambda batch, logs: logs["loss"],
    )
    stopping = keras.callbacks.EarlyStopping(
        "loss", min_delta=1e9, patience=1, restore_best_weights=True
    )
    save = keras.callbacks.ModelCheckpoint
    fit(
        task, data, 5,
        [
            record, stopping,
            save(tmp_path / "{epoch}.weights.h5", save_weights_only=True),
            save(tmp_path / "{epoch}.keras"),
            save(tmp_path / "batch-{batch}.keras", save_freq=3),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
            keras.callbacks.TerminateOnNaN(),
        ],
    )  # fmt: skip
    # The second epoch is not better by 1e9, so the weights of the first one come back.
    first, second = (entry for entry in seen if not isinstance(entry, int))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(weights(task), first)
    np.testing.assert_array_equal(weights(keras.models.load_model(tmp_path / "2.keras")), second)
    task.load_weights(tmp_path / "2.weights.h5")
    np.testing.assert_array_equal(weights(task), second)
    assert list(tmp_path.glob("batch-*.keras"))
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    fit(task, data, 2, [swap], validation_data=data)
    fit(task, data, callbacks=[keras.callbacks.SwapEMAWeights()], validation_data=data)


def test_tensorboard(config, data, tmp_path):
    pytest.importorskip("tensorboard")
    fit(make_task(config), data, callbacks=[keras.callbacks.TensorBoard(tmp_path / "logs")])
    assert list((tmp_path / "logs").rglob("events.out*"))
