"""`fit` and `evaluate` of a model that several processes train together."""

import contextlib

import keras

from keras_roberta.errors import InputError

# TensorFlow is imported inside, since the models run on other backends too.


class MultiWorkerFit:
    """Mixed into a `keras.Model`, before it in the bases.

    Keras 3.15 cannot train under `tf.distribute.MultiWorkerMirroredStrategy` (Keras issue 20585;
    `training.multi_worker` says why). Where it can one day, its own step is taken.

    `fit` and `evaluate` are called on every worker, with the same data; each worker reads its own
    rows of each batch. What is done `in_this_process` a worker may do without the others.
    """

    _keras_averages_logs = None

    @property
    def has_workers(self):
        """Whether the model's strategy is one of several processes."""
        if keras.backend.backend() != "tensorflow":
            return False
        from keras_roberta.training.workers.multi_worker import is_multi_worker

        return is_multi_worker(self.distribute_strategy)

    @property
    def _num_replicas(self):
        if keras.backend.backend() != "tensorflow":
            return 1
        return self.distribute_strategy.num_replicas_in_sync

    def check_scope(self):
        """Raises an InputError unless every weight was made within the strategy's scope."""
        if keras.backend.backend() != "tensorflow":
            return
        strategy = self.distribute_strategy
        for weight in self.weights:
            if not strategy.extended.variable_created_in_scope(weight.value):
                raise InputError(
                    f"{weight.path} was not made in the scope of the strategy that trains it "
                    f"({type(strategy).__name__}); make the strategy first, and the whole task, "
                    "its backbone included, within `with strategy.scope():`"
                )

    def check_divides(self, batch_size):
        """Raises an InputError where batches of this size give replicas unequal parts."""
        if self._num_replicas > 1:
            from keras_roberta.training.workers.multi_worker import check_divides

            check_divides(self.distribute_strategy, batch_size)

    def same_on_all_workers(self, number):
        """The chief's number, an int of 32 bits; called on every worker."""
        if not self.has_workers:
            return number
        from keras_roberta.training.workers.exchange import Exchange

        return int(Exchange(self.distribute_strategy).of_chief([number])[0])

    def dataset_of_all(self, x, y, sample_weight, batch_size, shuffle=False, seed=None):
        """Tokenised data as a dataset of global batches, the same on every worker."""
        from keras_roberta.training.workers.multi_worker import as_dataset

        return as_dataset(x, y, sample_weight, batch_size or 32, shuffle, seed)

    def part_of_worker(self, dataset):
        """This worker's part of a dataset of global batches; builds what Keras builds from it."""
        import tensorflow as tf

        from keras_roberta.training.workers.multi_worker import example_batch, spread

        strategy = self.distribute_strategy
        with strategy.scope():
            self._symbolic_build(data_batch=example_batch(strategy, dataset))
        return spread(strategy, dataset) if isinstance(dataset, tf.data.Dataset) else dataset

    @contextlib.contextmanager
    def in_this_process(self):
        """Within, Keras runs the model in this process, on a worker's own copy of the weights."""
        if not self.has_workers:
            yield
            return
        strategy, self._distribute_strategy = self._distribute_strategy, None
        try:
            yield
        finally:
            self._distribute_strategy = strategy

    # === What Keras calls ===

    def make_train_function(self, force=False):
        if not self._steps_by_itself():
            return super().make_train_function(force)
        if self.train_function is None or force:
            from keras_roberta.training.workers.multi_worker import step_function

            self.train_function = step_function(self, self.train_step)

    def make_test_function(self, force=False):
        if not self._steps_by_itself():
            return super().make_test_function(force)
        if self.test_function is None or force:
            from keras_roberta.training.workers.multi_worker import step_function

            self.test_function = step_function(self, self.test_step)

    def _steps_by_itself(self):
        if not self.has_workers:
            return False
        if self._keras_averages_logs is None:
            from keras_roberta.training.workers.multi_worker import keras_averages_logs

            self._keras_averages_logs = keras_averages_logs(self.distribute_strategy)
        return not self._keras_averages_logs

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if iterator is None or not self.has_workers:  # else `part_of_worker` has built it
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)
