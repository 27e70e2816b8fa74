"""Keras's `fit` and `evaluate` under `tf.distribute.MultiWorkerMirroredStrategy`.

Keras 3.15 fails there. After each step, its `reduce_per_replica` averages the logs over axis 0,
which scalars do not have. Before the first step, it averages the first batch over the workers to
find its shapes. So `step_function` runs the steps instead, and the model is built from the shapes
of the data.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_roberta.data.autotuning import without_autotuning
from keras_roberta.errors import InputError
from keras_roberta.training.workers.replica_batches import replica_batches


@dataclasses.dataclass(frozen=True)
class WorkerRank:
    """The rank of this process among the workers. Worker 0 is the chief, which writes all files.

    Attributes:
        num_workers: number of workers.
        index: number of this worker, from 0.

    >>> WorkerRank.of(tf.distribute.get_strategy())
    WorkerRank(num_workers=1, index=0)
    """

    num_workers: int = 1
    index: int = 0

    @classmethod
    def of(cls, strategy: tf.distribute.Strategy) -> "WorkerRank":
        """The rank of this process in the cluster of a strategy."""
        resolver = getattr(strategy, "cluster_resolver", None)
        cluster = resolver.cluster_spec().as_dict() if resolver else {}
        tasks = [(job, i) for job in ("chief", "worker") for i in range(len(cluster.get(job, ())))]
        if not tasks or not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return cls()
        return cls(len(tasks), tasks.index((resolver.task_type, resolver.task_id)))

    @property
    def is_chief(self) -> bool:
        """Whether this worker is the chief."""
        return self.index == 0

    def replicas(self, strategy: tf.distribute.Strategy) -> range:
        """The numbers of this worker's replicas."""
        here = strategy.num_replicas_in_sync // self.num_workers
        return range(self.index * here, (self.index + 1) * here)


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    """Whether the strategy has a cluster of workers, even of a single one."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return False
    return bool(strategy.cluster_resolver.cluster_spec().as_dict())


def spread(
    strategy: tf.distribute.Strategy, dataset: tf.data.Dataset
) -> tf.distribute.DistributedDataset:
    """Distributes a dataset of global batches: each replica gets its own rows.

    Args:
        strategy: the strategy that will read the dataset.
        dataset: dataset with the same batches on every worker.

    Raises:
        InputError: the batches cannot be split evenly over the replicas.
    """
    check_divides(strategy, _static_rows(dataset))
    here = WorkerRank.of(strategy).replicas(strategy)
    parts = without_autotuning(replica_batches(dataset, strategy.num_replicas_in_sync, here))
    return strategy.distribute_datasets_from_function(lambda _: parts)


def check_divides(strategy: tf.distribute.Strategy, batch_size: int | None) -> None:
    """Raises an InputError if a batch of this size cannot be split evenly over the replicas.

    A `batch_size` of None, which means unknown, is not checked.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size is not None and batch_size % replicas:
        raise InputError(
            f"batch_size {batch_size} does not divide over {replicas} replicas; give a multiple of "
            f"{replicas}"
        )


def step_function(
    model: keras.Model, step: Callable[[Any], dict[str, Any]]
) -> Callable[[Iterator], dict[str, Any]]:
    """A function that takes an iterator, runs a step on every replica and returns the mean logs.

    It replaces the function that `keras.Model.make_train_function` returns. All logs are averaged
    together, in one message between the workers.

    Args:
        model: a compiled model; its `distribute_strategy`, `steps_per_execution` and `run_eagerly`
            are used.
        step: `model.train_step` or `model.test_step`.
    """
    strategy = model.distribute_strategy

    def in_replica(batch):
        logs = step(batch)
        values = tf.stack([tf.cast(value, tf.float32) for value in logs.values()])
        mean = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)
        return dict(zip(logs, tf.unstack(mean), strict=True))

    def on_batch(batch):
        logs = strategy.run(in_replica, args=(batch,))
        return {name: strategy.experimental_local_results(v)[0] for name, v in logs.items()}

    def on_next(iterator):
        return on_batch(iterator.get_next())

    if not model.run_eagerly:
        on_batch = tf.function(on_batch, reduce_retracing=True, autograph=False)
        on_next = tf.function(on_next, reduce_retracing=True, autograph=False)

    def function(iterator):
        logs = None
        for _ in range(model.steps_per_execution):
            try:
                if isinstance(iterator, (tf.data.Iterator, tf.distribute.DistributedIterator)):
                    logs = on_next(iterator)
                else:  # called by `train_on_batch`
                    logs = on_batch(next(iterator))
            except (tf.errors.OutOfRangeError, StopIteration):
                if logs is None:
                    raise StopIteration from None
                break
        return logs

    return function


def keras_averages_logs(strategy: tf.distribute.Strategy) -> bool:
    """Whether this version of Keras can average logs over workers.

    If it can, `step_function` is not needed.
    """
    with strategy.scope():
        probe = _Probe()
        probe.compile()
    probe.make_train_function()
    try:
        return float(probe.train_function(iter([tf.zeros((1, 1))]))["loss"]) == 1.0
    except (ValueError, TypeError, tf.errors.InvalidArgumentError):
        return False  # raised while the step is traced, before any message


class _Probe(keras.Model):
    def train_step(self, data):
        return {"loss": tf.ones(())}


def example_batch(
    strategy: tf.distribute.Strategy,
    dataset: tf.data.Dataset | tf.distribute.DistributedDataset,
) -> Any:
    """A batch with the shapes and types of a dataset, to build a model from.

    Args:
        strategy: the strategy of a distributed dataset.
        dataset: a `tf.data.Dataset`, whose example is a batch of zeros, or a
            `tf.distribute.DistributedDataset`, whose example is its first element.
    """
    if isinstance(dataset, tf.data.Dataset):
        return tf.nest.map_structure(
            lambda spec: tf.zeros([size or 1 for size in spec.shape], spec.dtype),
            dataset.element_spec,
        )
    first = next(iter(dataset))
    return tf.nest.map_structure(lambda v: strategy.experimental_local_results(v)[0], first)


def as_dataset(
    data: Any, *, batch_size: int, shuffle: bool = False, seed: int | None = None
) -> tf.data.Dataset:
    """Tokenised data as a `tf.data.Dataset` of batches.

    Args:
        data: `x`, `(x, y)` or `(x, y, sample_weight)` of arrays, or a dataset, which is returned
            as it is.
        batch_size: rows in a batch.
        shuffle: whether to shuffle the rows.
        seed: seed of the order.

    Raises:
        InputError: the data is of another kind, such as a generator, so that the workers might
            read different rows.
    """
    if isinstance(data, (tf.data.Dataset, tf.distribute.DistributedDataset)):
        return data
    x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    if not all(hasattr(v, "shape") or isinstance(v, (list, tuple)) for v in tf.nest.flatten(x)):
        raise InputError(
            f"{type(x).__name__}: with several workers give arrays, texts or a tf.data.Dataset"
        )
    data = tf.nest.map_structure(np.asarray, data)
    rows = len(tf.nest.flatten(data)[0])
    dataset = tf.data.Dataset.range(rows)
    if shuffle:
        dataset = dataset.shuffle(rows, seed=seed)
    dataset = dataset.batch(batch_size)
    tensors = tf.nest.map_structure(tf.constant, data)
    return dataset.map(
        lambda order: tf.nest.map_structure(lambda t: tf.gather(t, order), tensors),
        num_parallel_calls=2,
    ).prefetch(2)


def _static_rows(dataset):
    shape = tf.nest.flatten(dataset.element_spec)[0].shape
    return shape[0] if shape.rank else None
