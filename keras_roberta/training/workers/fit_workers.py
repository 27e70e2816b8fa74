"""Support for `fit` and `evaluate` of a model that several workers may train together."""

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras

from keras_roberta.errors import InputError
from keras_roberta.layers.tensor import Tensor
from keras_roberta.training.keras_internals import build_from_batch, without_strategy
from keras_roberta.training.needs_tensorflow import needs_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

# TensorFlow is imported inside the functions, since the models also run on other backends.


class FitWorkers:
    """The workers and replicas that train a model.

    `fit` and `evaluate` are called on every worker with the same data. Each worker uses its own
    rows of each batch. On other backends than TensorFlow there is one worker with one replica.

    Args:
        model: a `keras.Model`.
    """

    def __init__(self, model: keras.Model):
        self._model = model

    @property
    def several(self) -> bool:
        """Whether the model's strategy is a multi-worker strategy."""
        if keras.backend.backend() != "tensorflow":
            return False
        from keras_roberta.training.workers.multi_worker import is_multi_worker

        return is_multi_worker(self._model.distribute_strategy)

    @property
    def num_replicas(self) -> int:
        """The number of replicas of the model on all workers together."""
        if keras.backend.backend() != "tensorflow":
            return 1
        return self._model.distribute_strategy.num_replicas_in_sync

    def check_scope(self) -> None:
        """Raises an InputError unless all weights were created in the strategy's scope.

        On other backends than TensorFlow there is no strategy to be in.
        """
        if keras.backend.backend() != "tensorflow":
            import tensorflow as tf

            if tf.distribute.has_strategy():
                needs_tensorflow("a tf.distribute strategy", "leave its scope")
            return
        strategy = self._model.distribute_strategy
        for weight in self._model.weights:
            if not strategy.extended.variable_created_in_scope(weight.value):
                raise InputError(
                    f"{weight.path} was not made in the scope of the strategy that trains it "
                    f"({type(strategy).__name__}); make the strategy first, and the whole task, "
                    "its backbone included, within `with strategy.scope():`"
                )

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """The context in which variables of the model are made."""
        if keras.backend.backend() != "tensorflow":
            return contextlib.nullcontext()
        return self._model.distribute_strategy.scope()

    def check_divides(self, batch_size: int | None) -> None:
        """Raises an InputError if a batch of this size cannot be split evenly over the replicas."""
        if self.num_replicas > 1:
            from keras_roberta.training.workers.multi_worker import check_divides

            check_divides(self._model.distribute_strategy, batch_size)

    def check_not_a_generator(self, x: Any) -> None:
        """Raises an InputError for a generator, of which workers might read different rows."""
        if self.several and isinstance(x, Iterator):
            raise InputError(
                f"{type(x).__name__}: with several workers give arrays, texts or a tf.data.Dataset"
            )

    def sum_over_replicas(self, value: Tensor) -> Tensor:
        """The sum of a tensor over all replicas; called by each replica within a step."""
        if keras.backend.backend() != "tensorflow":
            return value
        import tensorflow as tf

        replica = tf.distribute.get_replica_context()
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, value)

    def number_of_chief(self, number: int) -> int:
        """Returns the chief's number, a 32-bit integer, to every worker.

        Every worker must call this. The numbers of the others are ignored.
        """
        if not self.several:
            return number
        from keras_roberta.training.workers.exchange import Exchange

        return int(Exchange(self._model.distribute_strategy).of_chief([number])[0])

    def global_batches(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int | None = None,
        shuffle: bool = False,
        seed: int | None = None,
    ) -> "tf.data.Dataset":
        """Tokenised data as a dataset of global batches: the same batches on every worker.

        Args:
            x: token features, or a dataset, which is returned as it is.
            y: targets, or None.
            sample_weight: weights of the targets, or None.
            batch_size: rows of all workers together, 32 by default.
            shuffle: whether to shuffle the rows.
            seed: seed of the order.
        """
        from keras_roberta.training.workers.multi_worker import as_dataset

        data = keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        return as_dataset(data, batch_size=batch_size or 32, shuffle=shuffle, seed=seed)

    def own_part(
        self, dataset: "tf.data.Dataset | tf.distribute.DistributedDataset"
    ) -> "tf.distribute.DistributedDataset":
        """This worker's part of a dataset of global batches.

        Also builds the model from the shapes of the data. Keras would communicate with the other
        workers to do so.
        """
        import tensorflow as tf

        from keras_roberta.training.workers.multi_worker import example_batch, spread

        strategy = self._model.distribute_strategy
        with strategy.scope():
            build_from_batch(self._model, example_batch(strategy, dataset))
        return spread(strategy, dataset) if isinstance(dataset, tf.data.Dataset) else dataset

    def this_process_alone(self) -> contextlib.AbstractContextManager[None]:
        """A context in which Keras runs the model only in this process, on its copy of the weights.

        Inside it, a worker may do things that the other workers do not do.
        """
        return without_strategy(self._model) if self.several else contextlib.nullcontext()

    @property
    def need_own_step(self) -> bool:
        """Whether Keras's own step functions fail under the model's strategy."""
        return self.several and not _keras_averages_logs(self._model.distribute_strategy)


@functools.lru_cache(maxsize=1)  # there is one strategy in a process, and the answer takes time
def _keras_averages_logs(strategy):
    from keras_roberta.training.workers.multi_worker import keras_averages_logs

    return keras_averages_logs(strategy)
