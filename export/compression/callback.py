"""What the callbacks of compression have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_roberta.export.compression.kernels import KeptZeros, kernels_of
from keras_roberta.training.fit_changes import FitChange
from keras_roberta.training.needs_tensorflow import needs_tensorflow
from keras_roberta.training.workers.fit_workers import FitWorkers

if TYPE_CHECKING:
    from keras_roberta.training.step.batch import LossTransform


class CompressionCallback(FitChange):
    """Weights of the task that is trained, whose zeros stay zero.

    After each call of the training function the zeros are made zero again: with
    `steps_per_execution` above 1 only after so many steps. It works by TensorFlow's assignments on
    every replica, and so under MirroredStrategy, not with parameter servers.

    Attributes:
        kernels: the weights by name.
        zeros: `KeptZeros` of them.
    """

    _of_task: dict[str, bool] = {}  # arguments of `kernels_of`
    _transforms = ()  # of the loss, while `fit` runs

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        needs_tensorflow(type(self).__name__, "train without it")
        self.kernels = kernels_of(self.model, **self._of_task)
        with self.scope():
            self.zeros = KeptZeros(self.kernels)
            self.prepare()

    def prepare(self) -> None:
        """Called in the strategy's scope before the first step; for subclasses."""

    def train_with(self, transform: LossTransform) -> None:
        """Adds a loss transform to the task until `fit` ends, behind those that are there."""
        self._transforms = (*self._transforms, transform)
        self.model.add_loss_transform(transform)

    def undo(self) -> None:
        for transform in self._transforms:
            self.model.remove_loss_transform(transform)
        self._transforms = ()

    def scope(self):
        """The scope of the strategy that trains the task."""
        return FitWorkers(self.model).scope()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        with self.scope():
            self.zeros.apply()
