"""What `fit` and `evaluate` of a model ask where several processes may train it together."""

import contextlib
import functools

import keras

from keras_roberta.errors import InputError
from keras_roberta.training.keras_internals import build_from_batch, without_strategy

# TensorFlow is imported inside, since the models run on other backends too.


class FitWorkers:
    """The workers and replicas that train a model; on other backends than TensorFlow, one.

    `fit` and `evaluate` are called on every worker, with the same data; each worker reads its own
    rows of each batch.

    Args:
        model: a `keras.Model`.
    """

    def __init__(self, model: keras.Model):
        self._model = model

    @property
    def several(self) -> bool:
        """Whether the model's strategy is one of several processes."""
        if keras.backend.backend() != "tensorflow":
            return False
        from keras_roberta.training.workers.multi_worker import is_multi_worker

        return is_multi_worker(self._model.distribute_strategy)

    @property
    def num_replicas(self) -> int:
        """Replicas of the model, on all workers together."""
        if keras.backend.backend() != "tensorflow":
            return 1
        return self._model.distribute_strategy.num_replicas_in_sync

    def check_scope(self) -> None:
        """Raises an InputError unless every weight was made within the strategy's scope."""
        if keras.backend.backend() != "tensorflow":
            return
        strategy = self._model.distribute_strategy
        for weight in self._model.weights:
            if not strategy.extended.variable_created_in_scope(weight.value):
                raise InputError(
                    f"{weight.path} was not made in the scope of the strategy that trains it "
                    f"({type(strategy).__name__}); make the strategy first, and the whole task, "
                    "its backbone included, within `with strategy.scope():`"
                )

    def check_divides(self, batch_size: int | None) -> None:
        """Raises an InputError where batches of this size give replicas unequal parts."""
        if self.num_replicas > 1:
            from keras_roberta.training.workers.multi_worker import check_divides

            check_divides(self._model.distribute_strategy, batch_size)

    def number_of_chief(self, number: int) -> int:
        """The chief's number, an int of 32 bits; called on every worker, with any number."""
        if not self.several:
            return number
        from keras_roberta.training.workers.exchange import Exchange

        return int(Exchange(self._model.distribute_strategy).of_chief([number])[0])

    def global_batches(
        self, x, y=None, sample_weight=None, *, batch_size=None, shuffle=False, seed=None
    ):
        """Tokenised data as a dataset of the batches of all workers, the same on each of them."""
        from keras_roberta.training.workers.multi_worker import as_dataset

        data = keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        return as_dataset(data, batch_size=batch_size or 32, shuffle=shuffle, seed=seed)

    def own_part(self, dataset):
        """This worker's part of a dataset of global batches.

        Also builds the model from the shapes of the data: Keras would ask the other workers.
        """
        import tensorflow as tf

        from keras_roberta.training.workers.multi_worker import example_batch, spread

        strategy = self._model.distribute_strategy
        with strategy.scope():
            build_from_batch(self._model, example_batch(strategy, dataset))
        return spread(strategy, dataset) if isinstance(dataset, tf.data.Dataset) else dataset

    def this_process_alone(self):
        """A context in which Keras runs the model in this process, on its own copy of the weights.

        What is done there, a worker may do without the others.
        """
        return without_strategy(self._model) if self.several else contextlib.nullcontext()

    @property
    def need_own_step(self) -> bool:
        """Whether Keras's own step functions fail under the model's strategy."""
        return self.several and not _keras_averages_logs(self._model.distribute_strategy)


@functools.lru_cache(maxsize=1)  # one strategy a process; asking traces a step
def _keras_averages_logs(strategy):
    from keras_roberta.training.workers.multi_worker import keras_averages_logs

    return keras_averages_logs(strategy)
