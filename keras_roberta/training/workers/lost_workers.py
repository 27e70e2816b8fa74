"""Finds out which worker is lost, and says so in one line instead of TensorFlow's many."""

import contextlib
import re
import socket
import time
from collections.abc import Iterable, Iterator

import tensorflow as tf

from keras_roberta.errors import WorkerLostError
from keras_roberta.training.workers.cluster import Cluster, host_and_port

# A process that was killed may take a moment to close its sockets.
_CLOSING_SECONDS = 2.0
# How TensorFlow's coordination service names the workers that it waits for in vain.
_TASK = r"/job:worker/replica:0/task:\d+"
_NAMED_TASKS = re.compile(
    rf"(?:tasks are unhealthy|timed out task names)[^/]*(?P<list>(?:{_TASK}\s*)+)"
    rf"|Task (?P<one>{_TASK}) heartbeat timeout"
)


@contextlib.contextmanager
def worker_errors(cluster: Cluster | None) -> Iterator[None]:
    """A context that turns TensorFlow's errors about a lost worker into a one-line message.

    A process that ends is noticed at once. A process that hangs or has lost its network is noticed
    by TensorFlow's coordination service after about ten seconds without a heartbeat.

    Args:
        cluster: the workers, or None if there is no cluster.

    Raises:
        WorkerLostError: a worker is lost. The message names it.
    """
    try:
        yield
    except tf.errors.OpError as error:
        lost = cluster and _lost_workers_of(error, cluster)
        if not lost:
            raise
        raise lost_error(cluster, lost) from error


def lost_error(cluster: Cluster, lost: Iterable[int], problem: str = "has gone") -> WorkerLostError:
    """The error that names the workers with these indices."""
    names = ", ".join(f"{i} ({cluster.workers[i]})" for i in lost)
    return WorkerLostError(
        f"worker {names} {problem}, and worker {cluster.index} cannot go on without it; start all "
        "workers again with the same command"
    )


def start_error(
    error: tf.errors.OpError, cluster: Cluster, patience: float
) -> WorkerLostError | None:
    """What an error of TensorFlow's start says of other workers; None if it is about none.

    Whether a worker that is late has ended or is only slow is not known here.

    Args:
        error: of TensorFlow.
        cluster: the workers.
        patience: the seconds that were waited for all of them.
    """
    lost = silent_workers(error, cluster)
    if not lost:
        return None
    if isinstance(error, tf.errors.DeadlineExceededError):
        problem = f"has not started TensorFlow within {patience:g} seconds"
        return lost_error(cluster, lost, problem)
    return lost_error(cluster, lost)


def _lost_workers_of(error, cluster):
    """The indices of the workers whose loss an error is about; [] if all of them are there."""
    until = time.monotonic() + _CLOSING_SECONDS
    while True:
        lost = lost_workers(cluster) or silent_workers(error, cluster)
        if lost or time.monotonic() > until:
            return lost
        time.sleep(0.2)


def lost_workers(cluster: Cluster, patience: float = 1.0) -> list[int]:
    """The indices of the other workers that no longer listen at their addresses.

    Args:
        cluster: the workers.
        patience: seconds to wait for each of them.
    """
    lost = []
    for i, address in enumerate(cluster.workers):
        if i == cluster.index:
            continue
        try:
            socket.create_connection(host_and_port(address), patience).close()
        except OSError:
            lost.append(i)
    return lost


def silent_workers(error: tf.errors.OpError, cluster: Cluster) -> list[int]:
    """The indices of the workers that did not answer in time.

    TensorFlow's coordination service, which runs in the chief, names them. If the service itself
    does not answer, the chief is the silent worker.
    """
    named = _NAMED_TASKS.search(error.message or "")
    if named:
        return sorted(map(int, re.findall(r"task:(\d+)", named["list"] or named["one"])))
    late = isinstance(error, tf.errors.DeadlineExceededError)
    return [0] if late and cluster.index > 0 else []
