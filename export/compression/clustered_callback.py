"""What weight clustering and quantisation-aware training of clustered weights have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_roberta.export.compression.callback import CompressionCallback
from keras_roberta.export.compression.loss_with_weights import LossWithWeights
from keras_roberta.export.compression.shared_values import SharedValues
from keras_roberta.options import OptionError


class ClusteredCallback(CompressionCallback):
    """Matrices whose weights share a few values, chosen anew every `frequency` steps.

    When an epoch ends, and before validation, the weights get the values that they share.

    Args:
        frequency: steps between two assignments of weights to clusters.

    Raises:
        OptionError: the frequency is no number of steps.
    """

    def __init__(self, frequency: int):
        super().__init__()
        if type(frequency) is not int or frequency < 1:
            raise OptionError("frequency", f": expected a number of steps; got {frequency!r}")
        self.frequency = frequency

    def train_with_shared(
        self, shared: SharedValues, in_place_of: Callable[[str, Any], Any]
    ) -> None:
        """Trains with other weights, which may be made of the shared values.

        Args:
            shared: of the kernels, or of some of them.
            in_place_of: function of a kernel's name and its value; gives what the loss is computed
                with.
        """
        self.shared = shared
        self.train_with(LossWithWeights(self.kernels, in_place_of, shared.values.values()))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._calls = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_train_batch_end(batch, logs)
        self._calls += 1
        if self._calls % self.frequency == 0:
            with self.scope():
                self.shared.update()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._settle()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._settle()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        # They were settled when the epoch ended. By now they may be those of an earlier one.
        self.undo()

    def _settle(self):
        with self.scope():
            self.shared.settle()
