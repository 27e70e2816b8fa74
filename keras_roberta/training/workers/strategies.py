"""`tf.distribute` strategies by name, from one device to many machines."""

import keras
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.training.needs_tensorflow import needs_tensorflow
from keras_roberta.training.workers.cluster import Cluster, find_cluster, wait_for_workers
from keras_roberta.training.workers.multi_worker_start import start_workers

STRATEGIES = ("none", "mirrored", "multiworker", "auto")


def make_strategy(
    name: str = "auto",
    cluster: Cluster | None = None,
    patience: float = 300.0,
    start_patience: float = 300.0,
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
        start_patience: seconds to wait for their TensorFlow, once they are all there.

    Raises:
        InputError: the cluster cannot be read, a worker is missing, a tensor or model was made
            before, or the Keras backend is another one.
        WorkerLostError: a worker was there, but its TensorFlow does not start, or it has gone.
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
    return start_workers(cluster, start_patience)
