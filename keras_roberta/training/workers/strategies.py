"""`tf.distribute` strategies by name, from one device to many machines."""

import contextlib
import re
import time
from collections.abc import Iterator

import keras
import tensorflow as tf

from keras_roberta.errors import InputError, WorkerLostError
from keras_roberta.training.needs_tensorflow import needs_tensorflow
from keras_roberta.training.workers.cluster import (
    Cluster,
    find_cluster,
    lost_workers,
    wait_for_workers,
)

# A process that was killed may take a moment to close its sockets.
_CLOSING_SECONDS = 2.0

STRATEGIES = ("none", "mirrored", "multiworker", "auto")


def make_strategy(
    name: str = "auto", cluster: Cluster | None = None, patience: float = 300.0
) -> tf.distribute.Strategy:
    """Makes a strategy by its name. Call it before any tensor or model is made.

        none          one device
        mirrored      all GPUs of this machine
        multiworker   all workers that TF_CONFIG or SLURM's variables name; this process is one
        auto          multiworker if they name any; else mirrored if there are several GPUs; else
                      none, as always on other Keras backends than TensorFlow

    Args:
        name: one of these names.
        cluster: the workers; by default those of `find_cluster()`.
        patience: seconds to wait for the other workers.

    Raises:
        InputError: the cluster cannot be read, a worker is missing, a tensor or model was made
            before, or the Keras backend is another one.
    """
    if name not in STRATEGIES:
        raise InputError(f"strategy {name!r}: choose from {', '.join(STRATEGIES)}")
    if name == "auto" and keras.backend.backend() != "tensorflow":
        name = "none"
    if name in ("multiworker", "auto"):
        cluster = cluster or find_cluster()
    if name == "auto":
        gpus = tf.config.list_physical_devices("GPU")
        name = "multiworker" if cluster else "mirrored" if len(gpus) > 1 else "none"
    if name != "none":
        needs_tensorflow(f"strategy {name}", "leave the strategy out")
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if cluster is None:
        raise InputError(
            "strategy multiworker: neither TF_CONFIG nor SLURM's variables say who the workers "
            "are; `keras-roberta launch` starts several on one machine"
        )
    wait_for_workers(cluster, patience)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(_resolver(cluster))
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise InputError(
            "strategy multiworker: TensorFlow has begun its work already; make the strategy before "
            "any model or tensor"
        ) from None


def _resolver(cluster):
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.workers)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
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
        names = ", ".join(f"{i} ({cluster.workers[i]})" for i in lost)
        raise WorkerLostError(
            f"worker {names} has gone, and worker {cluster.index} cannot go on without it; start "
            "all workers again with the same command"
        ) from error


def _lost_workers_of(error, cluster):
    """The indices of the workers whose loss an error is about; [] if all of them are there."""
    until = time.monotonic() + _CLOSING_SECONDS
    while True:
        lost = lost_workers(cluster) or _silent_workers(error, cluster)
        if lost or time.monotonic() > until:
            return lost
        time.sleep(0.2)


def _silent_workers(error, cluster):
    """The indices of the workers that no longer send heartbeats.

    TensorFlow's coordination service, which runs in the chief, reports them. If the service itself
    does not answer, the chief is the silent worker.
    """
    if isinstance(error, tf.errors.DeadlineExceededError) and cluster.index > 0:
        return [0]
    message = error.message or ""
    tasks = re.search(r"tasks are unhealthy[^/]*((?:/job:worker/replica:0/task:\d+\s*)+)", message)
    return sorted(map(int, re.findall(r"task:(\d+)", tasks[1]))) if tasks else []
