"""A worker that goes is named by the others, whether TensorFlow trains or only starts."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys

import pytest
import tensorflow as tf

from keras_roberta.cli.local_workers import free_ports
from keras_roberta.errors import WorkerLostError
from keras_roberta.training.workers import strategies
from keras_roberta.training.workers.cluster import Cluster
from keras_roberta.training.workers.lost_workers import (
    lost_workers,
    silent_workers,
    start_error,
    worker_errors,
)

GONE = tf.errors.UnavailableError(None, None, "Socket closed")
# As TensorFlow 2.21 writes them.
UNHEALTHY = "tasks are unhealthy (no heartbeats):\n/job:worker/replica:0/task:1\n\n  [[node]]"
TIMED_OUT = """Barrier timed out. Id: [Init]Wait_for_all_tasks_to_register::0.
# of tasks that reached the barrier: 2/4.
The first task at the barrier: /job:worker/replica:0/task:0. Some timed out task names:
/job:worker/replica:0/task:3
/job:worker/replica:0/task:1

Additional GRPC error information from remote target /job:worker/replica:0/task:0 while calling"""
NO_HEARTBEAT = """Barrier failed because: task is set to ERROR: UNAVAILABLE: Task
/job:worker/replica:0/task:2 heartbeat timeout. This indicates that the remote task has failed.
Barrier Id: WaitForAllTasks::1::0, Task: /job:worker/replica:0/task:1""".replace("\n", " ")


def cluster_of(count, index):
    workers = tuple(f"127.0.0.1:{port}" for port in free_ports(count))
    return Cluster(workers, index, "TF_CONFIG")


@contextlib.contextmanager
def listening(cluster, *indices):
    with contextlib.ExitStack() as sockets:
        for i in indices:
            port = int(cluster.workers[i].rpartition(":")[2])
            sockets.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


def test_who_no_longer_listens():
    cluster = cluster_of(4, 1)
    with listening(cluster, 2):
        assert lost_workers(cluster) == [0, 3]


def test_a_worker_that_has_gone():
    cluster = cluster_of(2, 0)
    with pytest.raises(WorkerLostError, match=rf"worker 1 \({cluster.workers[1]}\) has gone"):
        with worker_errors(cluster):
            raise GONE
    with listening(cluster, 1), pytest.raises(tf.errors.UnavailableError):
        with worker_errors(cluster):
            raise GONE
    with pytest.raises(tf.errors.UnavailableError), worker_errors(None):
        raise GONE


@pytest.mark.parametrize(
    ("index", "error"),
    [
        (0, tf.errors.UnavailableError(None, None, UNHEALTHY)),
        (1, tf.errors.DeadlineExceededError(None, None, "Graph execution error")),
    ],
)
def test_a_worker_that_hangs_but_listens(index, error):
    cluster, other = cluster_of(2, index), 1 - index
    with listening(cluster, other):
        with pytest.raises(WorkerLostError, match=f"worker {other} .* has gone"):
            with worker_errors(cluster):
                raise error


@pytest.mark.parametrize(
    ("index", "kind", "message", "silent"),
    [
        (0, tf.errors.DeadlineExceededError, TIMED_OUT, [1, 3]),
        (2, tf.errors.DeadlineExceededError, TIMED_OUT, [1, 3]),
        (0, tf.errors.InternalError, NO_HEARTBEAT, [2]),
        (3, tf.errors.InternalError, NO_HEARTBEAT, [2]),
        (2, tf.errors.DeadlineExceededError, "Deadline Exceeded", [0]),
        (0, tf.errors.DeadlineExceededError, "Deadline Exceeded", []),
        (1, tf.errors.InternalError, "out of memory", []),
    ],
)
def test_who_is_silent(index, kind, message, silent):
    workers = tuple(f"a:{i}" for i in range(1, 5))
    assert silent_workers(kind(None, None, message), Cluster(workers, index, "")) == silent


def test_a_late_start_is_told_from_a_loss():
    cluster = Cluster(("a:1", "a:2", "a:3", "a:4"), 0, "")
    end = "and worker 0 cannot go on without it; start all workers again with the same command"
    late = start_error(tf.errors.DeadlineExceededError(None, None, TIMED_OUT), cluster, 300.0)
    assert str(late) == (
        f"worker 1 (a:2), 3 (a:4) has not started TensorFlow within 300 seconds, {end}"
    )
    gone = start_error(tf.errors.InternalError(None, None, NO_HEARTBEAT), cluster, 300.0)
    assert str(gone) == f"worker 2 (a:3) has gone, {end}"
    other = tf.errors.InternalError(None, None, "out of memory")
    assert start_error(other, cluster, 300.0) is None


def test_a_start_may_take_as_long_as_a_greeting(monkeypatch):
    waited = []
    for name in ("wait_for_workers", "start_workers"):
        monkeypatch.setattr(strategies, name, lambda cluster, seconds: waited.append(seconds))
    strategies.make_strategy("multiworker", Cluster(("a:1", "a:2"), 0, ""))
    assert waited == [300, 300]


# Greets the others as any worker does; the one whose number is given dies before its TensorFlow
# starts.
START = """
import os, signal, sys
from keras_roberta import cli
from keras_roberta.cli.workers import strategy_of
from keras_roberta.training.workers import strategies

start = strategies.start_workers

def start_or_die(cluster, patience):
    if cluster.index == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return start(cluster, 5)

@cli.app.command()
def only_start():
    with strategy_of("multiworker"):
        print("started")

strategies.start_workers = start_or_die
cli.main(["only-start"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("dies", [0, 2])
def test_a_worker_dies_between_the_greeting_and_tensorflows_start(dies):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(3)]
    tasks = [{"type": "worker", "index": i} for i in range(3)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(dies)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task}),
            },
        )
        for task in tasks
    ]
    try:
        ends = [process.communicate(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for i, (process, (printed, said)) in enumerate(zip(processes, ends, strict=True)):
        assert "started" not in printed
        if i == dies:
            assert process.returncode == -signal.SIGKILL
        else:
            assert process.returncode == 75, said
            errors = [line for line in said.splitlines() if line.startswith("error: ")]
            assert errors == [
                f"error: worker {dies} ({addresses[dies]}) has not started TensorFlow within 5 "
                f"seconds, and worker {i} cannot go on without it; start all workers again with "
                "the same command"
            ]
