"""Commands run by two workers on this machine; a pre-training run killed, and gone on with."""

import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from safetensors.numpy import load_file

import keras_roberta as kr
from keras_roberta.jobs.finetune import finetune
from keras_roberta.jobs.options.finetune import FinetuneOptions

STEPS = 30


@pytest.fixture
def launch():
    """A function that starts a command as two workers."""
    started = []

    def start(*command):
        launcher = [sys.executable, "-m", "keras_roberta.cli", "launch", "--workers", "2", "--"]
        process = subprocess.Popen(
            list(map(str, [*launcher, *command])),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    watchdog = threading.Timer(240, lambda: [process.terminate() for process in started])
    watchdog.start()
    yield start
    watchdog.cancel()


@pytest.fixture
def pretrain(launch, english_shards, tmp_path):
    """A function that starts a run of a name."""
    options = f"""--size tiny --steps {STEPS} --batch-size 4 --sequence-length 16
        --learning-rate 1e-2 --save-every 3 --log-every 5 --evaluate-every 15
        --initial-embeddings cooccurrence""".split()
    return lambda name: launch(
        "pretrain", "--data", english_shards, "--out", tmp_path / name, *options
    )


def kill_worker(launcher, index):
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(launcher.pid)], capture_output=True, text=True
    ).stdout.split()
    for pid in map(int, children):
        with open(f"/proc/{pid}/environ", "rb") as file:
            if b'"index": %d' % index in file.read():
                os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_is_killed_and_all_go_on(pretrain, tmp_path):
    killed = pretrain("killed")
    states = tmp_path / "killed" / "states"
    while not list(states.glob("step-*")) and killed.poll() is None:
        try:
            killed.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    kill_worker(killed, 1)
    output, _ = killed.communicate()
    assert killed.returncode in (75, 128 + signal.SIGKILL), output
    assert "[worker 0] error: worker 1 (127.0.0.1:" in output
    assert "start all workers again with the same command" in output
    assert not (tmp_path / "killed" / "config.json").exists()

    again = pretrain("killed")
    output, _ = again.communicate()
    assert again.returncode == 0 and "[worker 0] going on from step" in output
    assert "[worker 1]" not in output  # the chief alone speaks

    whole = pretrain("whole")
    whole.communicate()
    assert whole.returncode == 0
    name = f"step-{STEPS:08}.safetensors"
    found, expected = (load_file(tmp_path / run / "states" / name) for run in ("killed", "whole"))
    assert set(found) == set(expected)
    for tensor in expected:
        np.testing.assert_array_equal(found[tensor], expected[tensor], err_msg=tensor)
    assert (tmp_path / "killed" / "config.json").exists()
    logs = [(tmp_path / run / "log.csv").read_text() for run in ("killed", "whole")]
    assert logs[0] == logs[1] and logs[0].count("\n") == 1 + STEPS // 5
    evaluations = (tmp_path / "killed" / "evaluations.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in evaluations] == ["step", "15", "30"]


@pytest.mark.slow
def test_ctrl_c_stops_all_workers(pretrain, tmp_path):
    launcher, states = pretrain("stopped"), tmp_path / "stopped" / "states"
    while not list(states.glob("step-*")) and launcher.poll() is None:
        try:
            launcher.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    launcher.send_signal(signal.SIGINT)
    output, _ = launcher.communicate()
    assert launcher.returncode == 130, output
    assert "Traceback" not in output and "internal error" not in output


@pytest.mark.slow
def test_fine_tuning_by_two_workers_is_that_of_one(launch, config, tokenizer, sentiment, tmp_path):
    config = config.replace(dropout=0.0, attention_dropout=0.0)  # replicas draw their own
    preprocessor = kr.RobertaPreprocessor(tokenizer, sequence_length=16)
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2, preprocessor=preprocessor)
    preset, table = tmp_path / "preset", tmp_path / "table.tsv"
    task.save_to_preset(preset)
    rows = "".join(f"{label}\t{text}\n" for text, label in zip(*sentiment, strict=True))
    table.write_text("label\tsentence\n" + rows)

    options = "--strategy multiworker --epochs 2 --batch-size 8 --learning-rate 1e-2".split()
    workers = launch(
        "finetune", "--preset", preset, "--train", table, "--dev", table,
        "--out", tmp_path / "two", *options,
    )  # fmt: skip
    output, _ = workers.communicate()
    assert workers.returncode == 0, output

    recipe = FinetuneOptions(epochs=2, batch_size=8, learning_rate=1e-2)
    finetune(preset, table, table, tmp_path / "one", recipe)
    one, two = (read_results(tmp_path / run) for run in ("one", "two"))
    assert two["accuracy"] == one["accuracy"]
    np.testing.assert_allclose(two["history"], one["history"], rtol=1e-3)
    saved = kr.RobertaTextClassifier.from_preset(tmp_path / "two")
    predicted = saved.predict(sentiment[0]).argmax(axis=1)
    assert np.mean(predicted == sentiment[1]) == two["accuracy"]


def read_results(directory):
    metrics = json.loads((directory / "metrics.json").read_text())
    return metrics | {"history": np.loadtxt(directory / "history.csv", delimiter=",", skiprows=1)}
