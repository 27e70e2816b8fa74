"""Magnitude pruning while a task is trained."""

from __future__ import annotations

import logging
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.export.compression.callback import CompressionCallback
from keras_roberta.export.compression.kernels import KeptZeros, share_of_zeros, variable_like
from keras_roberta.export.compression.model_optimization import part_of_tfmot
from keras_roberta.export.compression.structures import (
    BLOCK,
    BLOCK_SIZE,
    M_BY_N,
    check_pruning,
)
from keras_roberta.options import OptionError

# How often masks are chosen anew, where nobody says: of each matrix all weights are sorted.
_TIMES = 20
# How far the zeros of a matrix may be from the sparsity: a small one has few blocks to choose from.
_NEAR = 0.02

logger = logging.getLogger("keras_roberta")


class MagnitudePruning(CompressionCallback):
    """A callback that makes the smallest weights zero, more and more of them (Zhu and Gupta, 2017,
    "To prune, or not to prune").

    At step t the share of zeros in each matrix is, with tensorflow-model-optimization's
    `PolynomialDecay`,

        sparsity + (initial_sparsity - sparsity) * (1 - (t - begin) / (end - begin))^3

    Which weights these are is chosen every `frequency` steps; in between those that are zero stay
    so. Weights that were zero before `fit` stay zero, too: a matrix that has more zeros than are
    asked for keeps them.

    The weights are zero when `fit` ends, as in every epoch's validation. A state of the run needs
    nothing besides weights and epoch to go on from.

    Args:
        sparsity: the share of zeros at the end, above 0 and below 1. Left out with "2:4", which is
            a half.
        structure: "unstructured"; "block", blocks of weights that are zero together, chosen by
            their mean magnitude; "2:4", two of any four weights beside one another that go into
            one output, chosen once, at `begin`.
        block_size: (inputs, outputs) of a block. (4, 1) are four weights that lie side by side in a
            `.tflite` file.
        begin, end: first and last step at which weights are chosen; up to 1 they are shares of all
            steps of `fit`. After `end` the weights that are left have time to settle.
        initial_sparsity: at `begin`; None: what the weights have when `fit` begins.
        frequency: steps between two choices; None: as many as make twenty choices.
        embeddings: prune the table of token embeddings, too. Of a small model it is most of the
            weights.

    Raises:
        OptionError: a number is out of bounds, or arguments do not go together.
        InputError: in `fit`, where the steps are not known, or a block does not fit a matrix.
    """

    def __init__(
        self,
        sparsity: float | None = None,
        *,
        structure: str = "unstructured",
        block_size: tuple[int, int] = BLOCK_SIZE,
        begin: float = 0.0,
        end: float = 0.5,
        initial_sparsity: float | None = None,
        frequency: int | None = None,
        embeddings: bool = False,
    ):
        super().__init__()
        self.sparsity = check_pruning(sparsity, structure, block_size, begin, end)
        if initial_sparsity is not None and not 0 <= initial_sparsity <= self.sparsity:
            raise OptionError(
                "initial_sparsity",
                f": expected 0 to the sparsity, {self.sparsity:g}; got {initial_sparsity!r}",
            )
        if frequency is not None and (type(frequency) is not int or frequency < 1):
            raise OptionError("frequency", f": expected a number of steps; got {frequency!r}")
        self.structure, self.block_size = structure, tuple(block_size)
        self._begin, self._end, self._frequency = begin, end, frequency
        self._initial = initial_sparsity
        self._of_task = {"embeddings": embeddings}

    # === The steps ===

    def prepare(self) -> None:
        self._found = KeptZeros(self.kernels).masks  # what tfmot chooses replaces the others
        for name, kernel in self.kernels.items():
            self._check_fits(name, kernel)
            if name not in self.zeros.masks:
                self.zeros.masks[name] = variable_like(kernel, np.ones(kernel.shape))
        self._steps = self.params.get("steps")
        self._before, self._in_epoch, self._chosen = 0, 0, -1
        self._pruner = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._pruner is not None:
            return
        if self._steps is not None:  # else they are counted from 0
            self._before = epoch * self._steps
        with self.scope():
            self._start()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        with self.scope():
            self._choose(self._before + batch + 1)
            self.zeros.apply()
        self._in_epoch = batch + 1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._before += self._in_epoch

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._pruner is None:
            return
        if self._before < self._last:
            logger.warning(
                "pruning: fit ended at step %d, and the sparsity is reached at step %d",
                self._before,
                self._last,
            )
        elif (reached := share_of_zeros(self.kernels)) < self.sparsity - _NEAR:
            logger.warning(
                "pruning: a matrix has %.1f%% zeros, and %.1f%% were asked for",
                100 * reached,
                100 * self.sparsity,
            )

    # === The choice ===

    def _start(self):
        first, last = (self._in_steps(name) for name in ("begin", "end"))
        if last <= first:
            steps = f"both step {first}" if last == first else f"step {first} and step {last}"
            raise OptionError(("begin", "end"), f"are {steps}: train longer, or let it end later")
        every = min(self._frequency or max(1, (last - first) // _TIMES), last - first)
        last = first + (last - first) // every * every  # the last choice ends the schedule
        initial = self._initial
        if initial is None:
            initial = min(share_of_zeros(self.kernels), self.sparsity)
        schedule = part_of_tfmot("sparsity.keras.pruning_schedule").PolynomialDecay(
            initial, self.sparsity, first, last, frequency=every
        )
        self._first, self._last, self._every = first, last, every
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        thresholds = [keras.Variable(0.0, trainable=False) for _ in self.kernels]
        is_block = self.structure == BLOCK
        self._pruner = part_of_tfmot("sparsity.keras.pruning_impl").Pruning(
            training_step_fn=lambda: self._step,
            pruning_vars=[
                (kernel.value, self.zeros.masks[name].value, threshold.value)
                for (name, kernel), threshold in zip(self.kernels.items(), thresholds, strict=True)
            ],
            pruning_schedule=schedule,
            block_size=self.block_size if is_block else (1, 1),
            block_pooling_type="AVG",
            sparsity_m_by_n=(2, 4) if self.structure == M_BY_N else None,
        )
        # A run that goes on has zeros already: the same weights are chosen once more.
        self._choose(self._before)

    def _in_steps(self, name):
        value = {"begin": self._begin, "end": self._end}[name]
        if value > 1 or value == 0:
            return int(value)
        if self._steps is None:
            raise OptionError(
                name,
                ": is a share of the steps of fit, which are not known; give fit steps_per_epoch, "
                "or begin and end as numbers of steps",
            )
        return round(value * self._steps * self.params["epochs"])

    def _number(self, step):
        """The number of the last choice up to a step; -1 before the first."""
        return (min(step, self._last) - self._first) // self._every if step >= self._first else -1

    def _choose(self, step):
        """Chooses the weights that are zero, if it is time to."""
        number = self._number(step)
        if number <= self._chosen:
            return
        if self.structure == M_BY_N:
            # tfmot chooses once, when it is told that this is the first step.
            at = 1 if self._chosen < 0 else 0
        else:
            at = self._first + number * self._every
        self._step.assign(at)
        self._pruner.conditional_mask_update()
        for name, found in self._found.items():
            mask = self.zeros.masks[name]
            mask.assign(mask.value * found.value)
        self._chosen = number

    def _check_fits(self, name, kernel):
        if self.structure != BLOCK:
            return
        if any(size > axis for size, axis in zip(self.block_size, kernel.shape, strict=True)):
            raise InputError(
                f"block_size: {self.block_size} is larger than {name}, which is "
                f"{tuple(kernel.shape)}; choose smaller blocks"
            )
