"""Two workers train as one device does."""

import json
import os
import subprocess
import sys

import multi_worker_runs
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.cli.local_workers import free_ports

pytestmark = pytest.mark.slow


def start(environment):
    return subprocess.Popen(
        [sys.executable, multi_worker_runs.__file__],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def result(process):
    stdout, stderr = process.communicate(timeout=600)
    assert process.returncode == 0, stderr[-3000:]
    return json.loads(stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def alone():
    return multi_worker_runs.compute(tf.distribute.get_strategy())


@pytest.fixture(scope="module")
def workers():
    """What each of two workers printed."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = [
        start(
            {
                "TF_CONFIG": json.dumps(
                    {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}}
                )
            }
        )
        for i in range(2)
    ]
    try:
        return [result(process) for process in processes]
    finally:
        for process in processes:
            process.kill()


@pytest.mark.parametrize(
    ("run", "like", "bound"),
    [
        ("classifier", "classifier", 1e-5),
        ("classifier, XLA", "classifier", 1e-5),
        ("pretraining", "pretraining", 1e-5),  # the workers accumulate
    ],
)
def test_losses_and_weights_are_those_of_one_device(workers, alone, run, like, bound):
    for worker in workers:
        for name in ("loss", "weights"):
            np.testing.assert_allclose(worker[run][name], alone[like][name], atol=bound)
        assert worker[run]["steps"] == len(worker[run]["loss"]) == 20


def steps_of(workers, form):
    """For each step the rows of each worker."""
    return list(zip(workers[0][form]["seen"], workers[1][form]["seen"], strict=True))


@pytest.mark.parametrize("form", ["list", "arrays", "dataset"])
def test_no_row_is_seen_twice_in_an_epoch(workers, form):
    steps = steps_of(workers, form)
    assert len(steps) == 10
    for epoch in (steps[:5], steps[5:]):
        assert sorted(i for parts in epoch for part in parts for i in part) == list(range(40))
    assert all(len(part) == 4 for parts in steps for part in parts)
    assert workers[0][form]["history"] == workers[1][form]["history"]


def test_batches_are_those_of_one_device(workers, alone):
    # Whatever the seed of a worker that is not the chief.
    assert [sum(parts, []) for parts in steps_of(workers, "list")] == alone["list"]["seen"]
    for worker in workers:
        for name, values in alone["list"]["history"].items():
            np.testing.assert_allclose(worker["list"]["history"][name], values, rtol=1e-4)
        np.testing.assert_allclose(
            worker["list"]["evaluated"], alone["list"]["evaluated"], rtol=1e-4
        )


def test_each_predicts_for_itself(workers, alone):
    for i, worker in enumerate(workers):
        predicted = worker["list"]["predicted"]
        assert len(predicted) == 3 + i
        np.testing.assert_allclose(predicted[:3], alone["list"]["predicted"], atol=1e-4)


def test_replicas_draw_different_dropout(workers):
    (first,), (second,) = (worker["dropout"] for worker in workers)
    assert np.abs(np.subtract(first, second)).max() > 1e-4


def test_keras_still_needs_help_with_workers_alone(workers, alone):
    assert alone["Keras averages logs"]
    assert not any(worker["Keras averages logs"] for worker in workers)


def test_messages_arrive_bit_by_bit(workers):
    for worker in workers:
        assert worker["exchange"] == [[0.1, -1e300], [1.1, -1e300]]
        assert worker["of chief"] == [True, False]
        assert worker["bytes of chief"] == "chief"


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("scope", ["was not made in the scope", "with strategy.scope()"]),
        ("arrays divide", ["batch_size 7 does not divide over 2 replicas"]),
        ("divides", ["batch_size 5 does not divide over 2 replicas"]),
        ("generator", ["with several workers give arrays, texts or a tf.data.Dataset"]),
        ("class_weight", ["class_weight", "sample_weight"]),
    ],
)
def test_mistakes_are_named(workers, mistake, words):
    for worker in workers:
        assert all(word in worker["mistakes"][mistake] for word in words)
