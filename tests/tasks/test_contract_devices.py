"""Every task trains on two replicas, and on JAX, as on one device with TensorFlow."""

import json
import os
import subprocess
import sys

import backend_runs
import keras
import numpy as np
import pytest
import replica_runs
import tensorflow as tf
from contract import assert_equal, every_task
from task_cases import CASES, CONFIG

import keras_roberta as kr
from keras_roberta import export

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def directory(tokenizer, tmp_path_factory):
    """A preset of every task, without dropout."""
    directory = tmp_path_factory.mktemp("runs")
    config = CONFIG.replace(dropout=0.0, attention_dropout=0.0)
    for case in CASES:
        case.make(tokenizer, config).save_to_preset(directory / case.class_name / "start")
    return directory


@pytest.fixture(scope="module")
def on_tensorflow(directory):
    return {case.class_name: backend_runs.run(case, directory, "tensorflow") for case in CASES}


def run(script, directory, **environment):
    done = subprocess.run(
        [sys.executable, script, directory],
        capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def replicated(directory):
    """Losses of every task on two replicas, from a process of its own."""
    return json.loads(run(replica_runs.__file__, directory).splitlines()[-1])


@pytest.fixture(scope="module")
def on_jax(directory):
    """Results of every task on JAX, from a process of its own."""
    pytest.importorskip("jax")
    run(backend_runs.__file__, directory, KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
    return json.loads((directory / "jax.json").read_text())


@every_task
def test_several_replicas_train_as_one_device_does(case, replicated, on_tensorflow):
    losses = replicated[case.class_name]
    assert len(losses) == 20
    np.testing.assert_allclose(losses, on_tensorflow[case.class_name]["loss"], atol=1e-4)


def test_compression_on_several_replicas(replicated, directory):
    for name in replica_runs.COMPRESSIONS:
        found = replicated[name]
        assert found["copies"] == 2 and found["apart"] == 0, name
        assert np.isfinite(found["losses"]).all()
        assert (found["zeros"] == pytest.approx(0.5, abs=0.01)) == (name == "pruned")
        assert (found["values"] <= 4) == (name == "clustered")
        assert found["has ranges"] == (name == "fixed ranges")
    for name in ("pruned", "rounded"):
        alone = replica_runs.compressed(directory, name, tf.distribute.get_strategy())
        assert alone["copies"] == 1
        np.testing.assert_allclose(replicated[name]["losses"], alone["losses"], atol=1e-4)


@every_task
def test_on_jax_it_trains_as_on_tensorflow(case, directory, on_jax, on_tensorflow):
    expected, found = on_tensorflow[case.class_name], on_jax[case.class_name]
    assert len(found["loss"]) == 20 and found["loss"][-1] < found["loss"][0]
    assert found.keys() == expected.keys()
    for name in found.keys() - {"outputs"}:
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-4, err_msg=name)
    # Its files open here, and answer as there.
    outputs = [np.array(output) for output in found["outputs"]]
    preset = kr.open_task(directory / case.class_name / "jax")
    assert_equal(preset.predict(case.asked, verbose=0), outputs, 1e-4)
    file = keras.models.load_model(directory / case.class_name / "jax.keras")
    assert type(file) is type(preset)
    assert_equal(file.get_weights(), preset.get_weights(), 0)


def test_what_needs_tensorflow_is_refused_on_jax(directory, on_jax):
    said = json.loads((directory / "jax-refusals.json").read_text())
    assert len(said) == 5
    for name, message in said.items():
        assert f"{name}: needs the backend tensorflow, and this is jax; " in message


def test_a_task_is_exported_on_jax(directory, on_jax):
    (case,) = [case for case in CASES if case.class_name == "RobertaTextClassifier"]
    exported = export.load(directory / "exported.tflite").predict(case.asked)
    outputs = [np.array(output) for output in on_jax[case.class_name]["outputs"]]
    assert_equal(exported["logits"], outputs, 1e-4)
