"""States of a run: all of it comes back, in another model and process."""

import itertools
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.training.optimizer.pretraining import pretraining_optimizer
from keras_roberta.training.runs.run_states import RunStates
from keras_roberta.training.runs.save_state import SaveState


@pytest.fixture
def config(config):
    return config.replace(num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=32)


def make_model(config, seed=0, objectives=("mlm",)):
    keras.utils.set_random_seed(seed)
    model = kr.RobertaPretrainer(kr.RobertaBackbone(config), objectives)
    model.compile(pretraining_optimizer(1e-2, total_steps=40))
    model.optimizer.build(model.trainable_variables)
    return model


def batch(step, rows=4, length=12):
    """Batch `step` of an endless corpus, as features, targets and weights of "mlm"."""
    random = np.random.default_rng(step)
    ids = random.integers(5, 200, (rows, length)).astype("int32")
    features = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    features["mask_positions"] = random.integers(1, length, (rows, 2)).astype("int32")
    targets = {"mlm": random.integers(5, 200, (rows, 2)).astype("int32")}
    return features, targets, {"mlm": np.ones((rows, 2), "float32")}


def fit(model, start, stop=40, **kwargs):
    signature = tf.nest.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), batch(0))
    data = tf.data.Dataset.from_generator(
        lambda: map(batch, itertools.count(start)), output_signature=signature
    )
    # Endless: at the end of a dataset Keras begins a step that fails, and dropout draws for it.
    model.fit(data, steps_per_epoch=stop - start, verbose=0, shuffle=False, **kwargs)


def values_of(model):
    variables = [*model.weights, *model.optimizer.variables]
    return [np.array(v) for v in variables]


def test_goes_on_as_if_it_had_not_stopped(config, tmp_path):
    whole = make_model(config)
    fit(whole, 0)

    first = make_model(config)
    fit(first, 0, 17)
    RunStates(tmp_path).save(first, 17, tokens=5, names=["a"])

    second = make_model(config, seed=99)
    assert RunStates(tmp_path).restore(second) == {"step": 17, "tokens": 5, "names": ["a"]}
    fit(second, 17)
    for expected, found in zip(values_of(whole), values_of(second), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_keeps_the_newest(config, tmp_path):
    model, states = make_model(config), RunStates(tmp_path, keep=2)
    assert states.restore(model) is None
    for step in (5, 10, 100_000_000, 20):
        states.save(model, step)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["step-00000020.safetensors", "step-100000000.safetensors"]
    assert states.restore(model)["step"] == 100_000_000
    states.clear()
    assert states.restore(model) is None


def test_a_damaged_state_gives_way_to_the_one_before(config, tmp_path, caplog):
    model, states = make_model(config), RunStates(tmp_path)
    states.save(model, 1)
    states.save(model, 2)
    newest = tmp_path / "step-00000002.safetensors"
    newest.write_bytes(newest.read_bytes()[:-7])
    assert states.restore(model)["step"] == 1
    assert "step-00000002" in caplog.text
    (tmp_path / "step-00000001.safetensors").write_bytes(b"{}")
    with pytest.raises(InputError, match="none of its states can be read"):
        states.restore(model)


def test_what_a_killed_save_left_is_removed(config, tmp_path):
    left = tmp_path / ".step-00000003.safetensors.abcdefgh"
    left.mkdir()
    (left / ".lock").touch()
    RunStates(tmp_path).restore(make_model(config))
    assert list(tmp_path.iterdir()) == []


def test_another_model_is_refused(config, tmp_path):
    states = RunStates(tmp_path)
    states.save(make_model(config), 1)
    for other in (config.replace(num_layers=2), config.replace(intermediate_dim=64)):
        with pytest.raises(InputError, match="a state of another model"):
            states.restore(make_model(other))
    with pytest.raises(InputError, match="a state of another model"):
        states.restore(make_model(config, objectives=("mlm", "sop")))


def test_a_full_disk(config, tmp_path, monkeypatch):
    model, states = make_model(config), RunStates(tmp_path)
    states.save(model, 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(InputError, match="No space left.*go on from step-00000001"):
        states.save(model, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.safetensors"]


class Kill(keras.callbacks.Callback):
    def __init__(self, number, at):
        super().__init__()
        self.number, self.at = number, at

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.at:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_stops(config, tmp_path, number):
    model, states = make_model(config), RunStates(tmp_path)
    before = signal.getsignal(number)
    saving = SaveState(states, every=4, values=lambda: {"extra": 1})
    fit(model, 0, callbacks=[Kill(number, 5), saving])
    assert saving.signal == number and saving.step == 6
    assert signal.getsignal(number) == before
    assert states.restore(model) == {"step": 6, "extra": 1}
    assert sorted(path.name for path in tmp_path.iterdir())[0] == "step-00000004.safetensors"


def test_saves_at_multiples_and_at_the_end(config, tmp_path):
    model, states = make_model(config), RunStates(tmp_path, keep=9)
    fit(model, 3, 10, callbacks=[SaveState(states, every=4, step=3)])
    steps = sorted(int(path.stem[5:]) for path in tmp_path.iterdir())
    assert steps == [4, 8, 10]
