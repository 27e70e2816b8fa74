"""A pre-training run by two workers on this machine: killed, and gone on with."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from safetensors.numpy import load_file

STEPS = 30


@pytest.fixture
def launch(english_shards, tmp_path):
    """A function that starts `keras-roberta launch` on a run of a name."""
    started = []

    def start(name):
        options = f"""--size tiny --steps {STEPS} --batch-size 4 --sequence-length 16
            --learning-rate 1e-2 --save-every 3 --log-every 5 --evaluate-every 15""".split()
        command = [sys.executable, "-m", "keras_roberta.cli", "launch", "--workers", "2", "--"]
        command += ["pretrain", "--data", english_shards, "--out", tmp_path / name, *options]
        process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(process)
        return process

    watchdog = threading.Timer(240, lambda: [process.terminate() for process in started])
    watchdog.start()
    yield start
    watchdog.cancel()


def kill_worker(launcher, index):
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(launcher.pid)], capture_output=True, text=True
    ).stdout.split()
    for pid in map(int, children):
        with open(f"/proc/{pid}/environ", "rb") as file:
            if b'"index": %d' % index in file.read():
                os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_is_killed_and_all_go_on(launch, tmp_path):
    killed = launch("killed")
    states = tmp_path / "killed" / "states"
    while not list(states.glob("step-*")) and killed.poll() is None:
        try:
            killed.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    kill_worker(killed, 1)
    output, _ = killed.communicate()
    assert killed.returncode in (75, 128 + signal.SIGKILL)
    assert "[worker 0] error: worker 1 (127.0.0.1:" in output
    assert "start all workers again with the same command" in output
    assert not (tmp_path / "killed" / "config.json").exists()

    again = launch("killed")
    output, _ = again.communicate()
    assert again.returncode == 0 and "[worker 0] going on from step" in output
    assert "[worker 1]" not in output  # the chief alone speaks

    whole = launch("whole")
    whole.communicate()
    assert whole.returncode == 0
    name = f"step-{STEPS:08}.safetensors"
    found, expected = (load_file(tmp_path / run / "states" / name) for run in ("killed", "whole"))
    assert set(found) == set(expected)
    for tensor in expected:
        np.testing.assert_array_equal(found[tensor], expected[tensor], err_msg=tensor)
    assert (tmp_path / "killed" / "config.json").exists()
    evaluations = (tmp_path / "killed" / "evaluations.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in evaluations] == ["step", "15", "30"]
