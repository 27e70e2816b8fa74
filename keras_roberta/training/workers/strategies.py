"""`tf.distribute` strategies by name, for one device up to many machines."""

import contextlib
import re

import tensorflow as tf

from keras_roberta.errors import InputError, WorkerLostError
from keras_roberta.training.workers.cluster import find_cluster, lost_workers, wait_for_workers

STRATEGIES = ("none", "mirrored", "multiworker", "auto")


def make_strategy(name="auto", cluster=None, patience=300.0):
    """The strategy of a name; made before any tensor or model is.

        none          one device
        mirrored      all GPUs of this machine
        multiworker   this process is one of several, which TF_CONFIG or SLURM's variables name
        auto          multiworker where they name any; else mirrored where there are several GPUs

    Args:
        name: one of these.
        cluster: `Cluster`; `find_cluster()` by default.
        patience: seconds to wait for the other workers.

    Returns:
        `tf.distribute.Strategy`

    Raises:
        InputError: the cluster cannot be read, a worker is missing, or it is too late.
    """
    if name not in STRATEGIES:
        raise InputError(f"strategy {name!r}: choose from {', '.join(STRATEGIES)}")
    if name in ("multiworker", "auto"):
        cluster = cluster or find_cluster()
    if name == "auto":
        gpus = tf.config.list_physical_devices("GPU")
        name = "multiworker" if cluster else "mirrored" if len(gpus) > 1 else "none"
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
def worker_errors(cluster):
    """Turns what TensorFlow makes of a worker that has gone, or is silent, into one line.

    A process that ends is noticed at once, one that hangs or is cut off by its heartbeats, which
    TensorFlow's coordination service misses after some ten seconds.

    Args:
        cluster: `Cluster`, or None where there is none.

    Raises:
        WorkerLostError: names the worker.
    """
    try:
        yield
    except tf.errors.OpError as error:
        lost = cluster and (lost_workers(cluster) or _silent_workers(error, cluster))
        if not lost:
            raise
        names = ", ".join(f"{i} ({cluster.workers[i]})" for i in lost)
        raise WorkerLostError(
            f"worker {names} has gone, and worker {cluster.index} cannot go on without it; start "
            "all workers again with the same command"
        ) from error


def _silent_workers(error, cluster):
    """Numbers of the workers that TensorFlow's coordination service, in the chief, has not heard
    from; the chief's where nothing is heard of that."""
    if isinstance(error, tf.errors.DeadlineExceededError) and cluster.index > 0:
        return [0]
    message = error.message or ""
    tasks = re.search(r"tasks are unhealthy[^/]*((?:/job:worker/replica:0/task:\d+\s*)+)", message)
    return sorted(map(int, re.findall(r"task:(\d+)", tasks[1]))) if tasks else []
