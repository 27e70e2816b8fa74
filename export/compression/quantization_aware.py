"""Quantisation-aware training of a task."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

from keras_roberta.checkpoints.activation_ranges import ActivationRanges, fingerprint_of
from keras_roberta.errors import InputError
from keras_roberta.export.arguments import check_choice
from keras_roberta.export.compression.clustered_callback import ClusteredCallback
from keras_roberta.export.compression.rounded_activations import RoundedActivations
from keras_roberta.export.compression.rounded_schemes import rounding_entry
from keras_roberta.export.compression.rounding import rounding_by
from keras_roberta.export.compression.shared_values import SharedValues
from keras_roberta.export.edge_quantizer import check_widths
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.export.recipes import is_static

# Calls of the training function in which ranges of activations are only measured, if neither a
# validation nor the end of an epoch comes before.
_MEASURED = 10


class QuantizationAwareTraining(ClusteredCallback):
    """A callback by which a task learns to answer with rounded weights, and with activations of
    fixed ranges (Jacob et al., 2018, "Quantization and Training of Neural Networks", section 3).

    In each step the matrices of the encoder and the head are rounded as a scheme of `.tflite` files
    rounds them, and the gradients go to the weights that are rounded. The task keeps these: they
    are rounded once more when it is exported in this scheme, to the same numbers. Validation within
    `fit` is with rounded weights. Embeddings are left as they are.

    Most schemes scale activations as they come, and these are not rounded here. A scheme with fixed
    ranges ("int8-static", "int16x8") has what goes into the encoder's products and what comes out
    rounded, too, in training and in validation. The ranges are moving averages over the steps. The
    first ten calls of the training function, or those before the first validation or end of an
    epoch, only measure; then products with outliers, for which no range will do, are
    told apart for good, and scale their activations as they come. The ranges stay with the task as
    `task.backbone.activation_ranges`, and with its presets: `to_tflite` in this scheme needs no
    sample texts, and uses these ranges, as long as the encoder's weights are those that `fit` left
    (or a callback such as `EarlyStopping` brought back from the end of an epoch).

    Weights that are zero stay zero. A matrix that is clustered keeps its clusters: its values are
    trained, and rounded afterwards.

    Args:
        quantization: the name of a scheme of `export.quantization.SCHEMES` that rounds weights.
        frequency: of a clustered matrix, steps between two assignments of weights to clusters.

    Raises:
        InputError: there is no such scheme, it rounds no weights, or `frequency` is no number of
            steps; in `fit`, where the task's sizes do not fit the scheme, or activations would be
            rounded in a model with `remat`.
    """

    _of_task = {"head": True}
    _activations = None  # where they have fixed ranges, from the first step on

    def __init__(self, quantization: str = "int8", *, frequency: int = 10):
        super().__init__(frequency)
        check_choice("quantization", quantization, SCHEMES)
        self.scheme = SCHEMES[quantization]
        self._entry = rounding_entry(self.scheme)
        self._testing = contextlib.ExitStack()  # while the task has rounded weights to be tested
        self._learned: dict[int, ActivationRanges] = {}  # of each epoch, by its weights

    def prepare(self) -> None:
        check_widths(self.scheme, self.model.backbone.config)
        static = next(filter(is_static, self.scheme.recipe), None)
        if static is not None and self.model.backbone.config.remat:
            raise InputError(
                f"quantization: {self.scheme.name!r} rounds activations in training, which does "
                "not go with remat; open the task with remat=False (--no-remat)"
            )
        width = math.gcd(*(kernel.shape[0] for kernel in self.kernels.values()))
        self._rounded = rounding_by(self._entry, width)
        self.train_with_shared(SharedValues(self.kernels), self._in_place_of)
        if static is not None:
            known = self.model.backbone.activation_ranges
            if known is not None and not known.unfit_for(self.scheme.name):
                self._learned.setdefault(known.fingerprint, known)
            start = self._learned.get(self._fingerprint())
            self._activations = RoundedActivations(self.model, static, start)
            self._activations.put_in()
            self.train_with(self._activations)

    @contextlib.contextmanager
    def as_exported(self) -> Iterator[None]:
        """A context in which the task has rounded weights, and rounds activations, as the file
        does; after `fit` began."""
        with self.scope():
            trained = {name: kernel.value + 0 for name, kernel in self.kernels.items()}
        activations = self._activations and self._activations.placed()
        try:
            with self.scope():
                for name, kernel in self.kernels.items():
                    kernel.assign(self._rounded(trained[name]))
            with activations or contextlib.nullcontext():
                yield
        finally:
            with self.scope():
                for name, kernel in self.kernels.items():
                    kernel.assign(trained[name])

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_train_batch_end(batch, logs)
        if self._calls >= _MEASURED:
            self._decide()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_test_begin(logs)
        self._decide()
        self._testing.enter_context(self.as_exported())

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._testing.close()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self._activations is None:
            return
        self._decide()
        with self.scope():
            self._activations.share()
            fingerprint = self._fingerprint()
        ranges = self._activations.learned(self.scheme.name, fingerprint)
        self._learned[fingerprint] = self.model.backbone.activation_ranges = ranges

    def undo(self) -> None:
        self._testing.close()
        super().undo()
        if self._activations is not None:
            self._activations.take_out()
            self._give_ranges()  # behind callbacks that brought weights of another epoch back

    def state(self) -> dict[str, Any]:
        return {"learned": [ranges.to_dict() for ranges in self._learned.values()]}

    def restore(self, state: Mapping[str, Any]) -> None:
        found = [ActivationRanges.from_dict(one) for one in state.get("learned", ())]
        self._learned = {ranges.fingerprint: ranges for ranges in found}

    def _decide(self):
        if self._activations is not None:
            with self.scope():
                self._activations.decide()

    def _give_ranges(self):
        """Those of the task's weights; without such ranges the task keeps what it had."""
        ranges = self._learned.get(self._fingerprint())
        if ranges is not None:
            self.model.backbone.activation_ranges = ranges
            with self.scope():
                self._activations.load(ranges)

    def _fingerprint(self):
        return fingerprint_of(self.model.backbone.weights_by_name())

    def _in_place_of(self, name, weight):
        shared = self.shared.values.get(name)
        return self._rounded(weight if shared is None else shared.value)
