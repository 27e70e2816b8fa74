"""Keras's `fit` and `evaluate` under `tf.distribute.MultiWorkerMirroredStrategy`.

Keras 3.15 fails there: after each step its `reduce_per_replica` averages the logs, which are
scalars, over an axis 0 that they do not have; and before the first step it averages the first batch
over the workers to learn its shapes. Models are stepped by `step_function` instead, and built from
the shapes of the data.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from keras_roberta.data.autotuning import without_autotuning
from keras_roberta.errors import InputError
from keras_roberta.training.workers.replica_batches import replica_batches


@dataclasses.dataclass(frozen=True)
class WorkerRank:
    """Which of the workers this process is; the chief is number 0, and writes what is written.

    >>> WorkerRank.of(tf.distribute.get_strategy())
    WorkerRank(num_workers=1, index=0)
    """

    num_workers: int = 1
    index: int = 0

    @classmethod
    def of(cls, strategy):
        """This process's place in a strategy's cluster."""
        resolver = getattr(strategy, "cluster_resolver", None)
        cluster = resolver.cluster_spec().as_dict() if resolver else {}
        tasks = [(job, i) for job in ("chief", "worker") for i in range(len(cluster.get(job, ())))]
        if not tasks or not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return cls()
        return cls(len(tasks), tasks.index((resolver.task_type, resolver.task_id)))

    @property
    def is_chief(self):
        return self.index == 0

    def replicas(self, strategy):
        """The numbers of this worker's replicas: a range."""
        here = strategy.num_replicas_in_sync // self.num_workers
        return range(self.index * here, (self.index + 1) * here)


def is_multi_worker(strategy):
    """Whether the strategy has a cluster, be it of one worker."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return False
    return bool(strategy.cluster_resolver.cluster_spec().as_dict())


def spread(strategy, dataset):
    """A dataset of global batches as one that gives each replica its own rows.

    Args:
        dataset: `tf.data.Dataset`, with the same batches on every worker.

    Returns:
        `tf.distribute.DistributedDataset`
    """
    check_divides(strategy, _static_rows(dataset))
    here = WorkerRank.of(strategy).replicas(strategy)
    parts = without_autotuning(replica_batches(dataset, strategy.num_replicas_in_sync, here))
    return strategy.distribute_datasets_from_function(lambda _: parts)


def check_divides(strategy, batch_size):
    """Raises an InputError where a batch, if its size is known, gives replicas unequal parts."""
    replicas = strategy.num_replicas_in_sync
    if batch_size is not None and batch_size % replicas:
        raise InputError(
            f"batch_size {batch_size} does not divide over {replicas} replicas; give a multiple of "
            f"{replicas}"
        )


def step_function(model, step):
    """A function of an iterator that does a step on every replica and returns the mean logs.

    It takes the place of what `keras.Model.make_train_function` makes. All logs are averaged at
    once, so that they cost one message.

    Args:
        model: gives `distribute_strategy`, `steps_per_execution` and `run_eagerly`.
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
                else:  # of `train_on_batch`
                    logs = on_batch(next(iterator))
            except (tf.errors.OutOfRangeError, StopIteration):
                if logs is None:
                    raise StopIteration from None
                break
        return logs

    return function


def keras_averages_logs(strategy):
    """Whether this Keras can average logs over workers; then its own step is taken."""
    with strategy.scope():
        probe = _Probe()
        probe.compile()
    probe.make_train_function()
    try:
        return float(probe.train_function(iter([tf.zeros((1, 1))]))["loss"]) == 1.0
    except (ValueError, TypeError, tf.errors.InvalidArgumentError):
        return False  # found while the step is traced; nothing was sent


class _Probe(keras.Model):
    def train_step(self, data):
        return {"loss": tf.ones(())}


def example_batch(strategy, dataset):
    """A batch of zeros of a dataset's types, for shapes to be learned from.

    Args:
        dataset: `tf.data.Dataset`, or a `tf.distribute.DistributedDataset`, of which the first
            element is taken.
    """
    if isinstance(dataset, tf.data.Dataset):
        return tf.nest.map_structure(
            lambda spec: tf.zeros([size or 1 for size in spec.shape], spec.dtype),
            dataset.element_spec,
        )
    first = next(iter(dataset))
    return tf.nest.map_structure(lambda v: strategy.experimental_local_results(v)[0], first)


def as_dataset(data, *, batch_size, shuffle=False, seed=None):
    """Tokenised data as a `tf.data.Dataset` of batches, in an order that the seed decides; what is
    a dataset stays as it is.

    Args:
        data: a dataset, or `x`, `(x, y)` or `(x, y, sample_weight)` of arrays.

    Raises:
        InputError: it is of a kind of which workers cannot be sure to hold the same.
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
