"""Every task trains on two replicas, and on JAX, as on one device with TensorFlow."""

import json
import os
import pathlib
import subprocess
import sys

import backend_runs
import keras
import numpy as np
import pytest
from contract import assert_equal, every_task
from task_cases import CASES, CONFIG

import keras_roberta as kr
from keras_roberta import export

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def replicated():
    """Losses of every task trained on one device and on two, from a process of its own."""
    script = pathlib.Path(__file__).with_name("replica_runs.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@every_task
def test_several_replicas_train_as_one_device_does(case, replicated):
    one, two = replicated[case.class_name]
    np.testing.assert_allclose(one, two, atol=1e-4)


@pytest.fixture(scope="module")
def on_backends(tokenizer, tmp_path_factory):
    """Every task trained on TensorFlow here, and on JAX in a process of its own."""
    pytest.importorskip("jax")
    directory = tmp_path_factory.mktemp("backends")
    config = CONFIG.replace(dropout=0.0, attention_dropout=0.0)
    for case in CASES:
        case.make(tokenizer, config).save_to_preset(directory / case.class_name / "start")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, backend_runs.__file__, directory],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return directory


@every_task
def test_on_jax_it_trains_as_on_tensorflow(case, on_backends):
    expected = backend_runs.run(case, on_backends, "tensorflow")
    found = json.loads((on_backends / "jax.json").read_text())[case.class_name]
    assert len(found["loss"]) == 20 and found["loss"][-1] < found["loss"][0]
    for name in ("loss", "loss of adapters", "evaluated"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-4, err_msg=name)
    # Its files open here, and answer as there.
    outputs = [np.array(output) for output in found["outputs"]]
    preset = kr.open_task(on_backends / case.class_name / "jax")
    file = keras.models.load_model(on_backends / case.class_name / "jax.keras")
    for opened in (preset, file):
        assert_equal(opened.predict(case.asked, verbose=0), outputs, 1e-4)
    if case.class_name == "RobertaTextClassifier":
        exported = export.load(on_backends / "exported.tflite").predict(case.asked)
        assert_equal(exported["logits"], outputs, 1e-4)
        said = json.loads((on_backends / "jax-refusals.json").read_text())
        assert len(said) == 5
        for name, message in said.items():
            assert f"{name}: needs the backend tensorflow, and this is jax; " in message
