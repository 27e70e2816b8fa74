"""Compiled steps, on one device and two: the same training."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest


@pytest.fixture(scope="module")
def runs():
    script = pathlib.Path(__file__).with_name("strategy_runs.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "like", "bound"),
    [
        ("two, Adam", "one, Adam", 1e-5),
        ("two, averaged", "one, averaged", 1e-5),
        ("two, XLA, taught", "one, taught", 1e-5),
        ("two, XLA, regularized", "one, regularized", 1e-5),
        ("two, XLA, float16, composed", "two, composed", 3e-2),
        ("two, XLA, bfloat16", "one", 3e-2),
        ("two, dropout, remat", "two, dropout", 1e-5),
        ("two, attention compiled", "one", 1e-5),
        ("pretraining, two, XLA, accumulated", "pretraining", 1e-5),
    ],
)
def test_runs_agree(runs, run, like, bound):
    for name in ("loss", "weights"):
        np.testing.assert_allclose(runs[run][name], runs[like][name], atol=bound)
    assert runs[run]["steps"] == len(runs[run]["loss"]) == 20


@pytest.mark.slow
def test_all_replicas_answer_for_float16(runs):
    assert runs["two, overflow"] == 0.5
