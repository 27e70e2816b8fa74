"""Quantisation-aware training of a task."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

from keras_roberta.export.arguments import check_choice
from keras_roberta.export.compression.clustered_callback import ClusteredCallback
from keras_roberta.export.compression.rounded_schemes import rounding_entry
from keras_roberta.export.compression.rounding import rounding_by
from keras_roberta.export.compression.shared_values import SharedValues
from keras_roberta.export.edge_quantizer import check_widths
from keras_roberta.export.quantization import SCHEMES


class QuantizationAwareTraining(ClusteredCallback):
    """A callback by which a task learns to answer with rounded weights (Jacob et al., 2018,
    "Quantization and Training of Neural Networks", section 3).

    In each step the matrices of the encoder and the head are rounded as a scheme of `.tflite` files
    rounds them, and the gradients go to the weights that are rounded. The task keeps these: they
    are rounded once more when it is exported in this scheme, to the same numbers. Validation within
    `fit` is with rounded weights.

    Weights of products alone are rounded. Most schemes scale activations as they come, so that
    there are no ranges to learn; of those with fixed ranges ("int8-static") the exporter finds the
    ranges in its sample texts, and not in training. Embeddings are left as they are.

    Weights that are zero stay zero. A matrix that is clustered keeps its clusters: its values are
    trained, and rounded afterwards.

    Args:
        quantization: the name of a scheme of `export.quantization.SCHEMES` that rounds weights.
        frequency: of a clustered matrix, steps between two assignments of weights to clusters.

    Raises:
        InputError: there is no such scheme, it rounds no weights, or `frequency` is no number of
            steps; in `fit`, where the task's sizes do not fit the scheme.
    """

    _of_task = {"head": True}

    def __init__(self, quantization: str = "int8", *, frequency: int = 10):
        super().__init__(frequency)
        check_choice("quantization", quantization, SCHEMES)
        self.scheme = SCHEMES[quantization]
        self._entry = rounding_entry(self.scheme)
        self._testing = contextlib.ExitStack()  # while the task has rounded weights to be tested

    def prepare(self) -> None:
        check_widths(self.scheme, self.model.backbone.config)
        width = math.gcd(*(kernel.shape[0] for kernel in self.kernels.values()))
        self._rounded = rounding_by(self._entry, width)
        self.train_with_shared(SharedValues(self.kernels), self._in_place_of)

    @contextlib.contextmanager
    def as_exported(self) -> Iterator[None]:
        """A context in which the task has rounded weights, as in the file; after `fit` began."""
        with self.scope():
            trained = {name: kernel.value + 0 for name, kernel in self.kernels.items()}
        try:
            with self.scope():
                for name, kernel in self.kernels.items():
                    kernel.assign(self._rounded(trained[name]))
            yield
        finally:
            with self.scope():
                for name, kernel in self.kernels.items():
                    kernel.assign(trained[name])

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_test_begin(logs)
        self._testing.enter_context(self.as_exported())

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._testing.close()

    def undo(self) -> None:
        self._testing.close()
        super().undo()

    def _in_place_of(self, name, weight):
        shared = self.shared.values.get(name)
        return self._rounded(weight if shared is None else shared.value)
