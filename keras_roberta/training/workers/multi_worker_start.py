"""Starts TensorFlow among several workers, and does not wait for one that has died."""

import tensorflow as tf

# TensorFlow has no public name for these; the range of versions in setup.cfg has been tested.
from tensorflow.compiler.xla.tsl.protobuf.coordination_config_pb2 import CoordinatedJob
from tensorflow.python.eager import context

from keras_roberta.errors import InputError
from keras_roberta.training.workers.cluster import Cluster
from keras_roberta.training.workers.lost_workers import start_error


def start_workers(cluster: Cluster, patience: float) -> tf.distribute.MultiWorkerMirroredStrategy:
    """The strategy of workers that are all there.

    Args:
        cluster: the workers.
        patience: seconds from this worker's start to that of the last one.

    Raises:
        InputError: a tensor or model was made before.
        WorkerLostError: a worker's TensorFlow does not start. The message names it.
    """
    _limit_wait(cluster, patience)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(_resolver(cluster))
    except tf.errors.OpError as error:
        lost = start_error(error, cluster, patience)
        if lost is None:
            raise
        raise lost from error
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise InputError(
            "strategy multiworker: TensorFlow has begun its work already; make the strategy before "
            "any model or tensor"
        ) from None


def _limit_wait(cluster, seconds):
    """Has TensorFlow's coordination service wait so long for all workers, and not for an hour.

    The timeout alone says for how long each worker tries to reach the service. Only with the
    barrier does it also hold for those that have reached it and wait for the rest.

    A watch in a thread of Python could not end the wait sooner: TensorFlow holds Python's lock
    meanwhile, so no other thread runs.
    """
    here = context.context()
    here.configure_coordination_service(
        "standalone",
        service_leader="/job:worker/replica:0/task:0",
        cluster_register_timeout_in_ms=round(1000 * seconds),
        coordinated_jobs=[CoordinatedJob(name="worker", num_tasks=len(cluster.workers))],
    )
    here.coordination_service.cluster_register_with_barrier = True


def _resolver(cluster):
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.workers)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
    )
