"""The methods that Keras calls in `fit` and `evaluate`, for a model of several processes."""

from keras_roberta.training.workers.fit_workers import FitWorkers

# What trains on several workers needs the TensorFlow backend, so it is imported when it is used.


class MultiWorkerFit:
    """Mixed into a `keras.Model`, before it in the bases.

    Keras 3.15 cannot train under `tf.distribute.MultiWorkerMirroredStrategy` (Keras issue 20585;
    `training.workers.multi_worker` says why). Where it can one day, its own step is taken.
    """

    @property
    def _workers(self):
        return FitWorkers(self)

    def make_train_function(self, force=False):
        if not self._workers.need_own_step:
            return super().make_train_function(force)
        if self.train_function is None or force:
            from keras_roberta.training.workers.multi_worker import step_function

            self.train_function = step_function(self, self.train_step)

    def make_test_function(self, force=False):
        if not self._workers.need_own_step:
            return super().make_test_function(force)
        if self.test_function is None or force:
            from keras_roberta.training.workers.multi_worker import step_function

            self.test_function = step_function(self, self.test_step)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if iterator is None or not self._workers.several:  # else `own_part` has built it
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)
