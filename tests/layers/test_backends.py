"""The layers on JAX, without TensorFlow, are those on TensorFlow."""

import importlib.util
import os
import pathlib
import runpy
import subprocess
import sys

import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).with_name("backend_runs.py")


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory):
    path = tmp_path_factory.mktemp("jax") / "results.npz"
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",  # compiled sooner
    }
    subprocess.run([sys.executable, SCRIPT, path], check=True, env=environment)
    return np.load(path)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_outputs_and_gradients_on_jax_are_those_on_tensorflow(on_jax):
    on_tensorflow = runpy.run_path(str(SCRIPT))["compute"]()
    assert set(on_jax) == set(on_tensorflow)
    for name, expected in on_tensorflow.items():
        assert np.abs(expected).max() > 1e-4, name
        np.testing.assert_allclose(on_jax[name], expected, rtol=0, atol=1e-5, err_msg=name)
