"""The best epoch of a fine-tuning: found by a score on the dev data, its weights kept."""

import contextlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_roberta.training.workers.exchange import Exchange


class BestEpoch(keras.callbacks.Callback):
    """Measures after each epoch. At the end of `fit` the model has the weights of the best epoch.

    Of several epochs as good the first is the best. The scores go into the epoch's logs, each with
    "val_" in front, so that the callbacks behind this one and the history have them.

    Args:
        measure: function that gives the scores by name, each a number or None. Of several workers
            the chief calls it and tells the others.
        main_score: the score that decides; larger is better. If that is not measured, or it is
            None, the validation loss decides.
        patience: epochs in a row that are no better than the best before, after which `fit` ends;
            None to go through all of them.
        exchange: between the workers.
        first_epoch: the number, from 1, of the first epoch that may be the best; those before are
            measured and no more.
        weights_as: function of the model, makes a context in which it has the weights that are
            measured and kept, such as `averaged_weights`; by default those that are trained.

    Attributes:
        epoch: the best one's number, from 1; 0 before there is one.
        score: what it was chosen by; -inf where that is no number.
        scores: what was measured after it.
        weights: the trainable weights after it, arrays by path.
    """

    def __init__(
        self,
        measure: Callable[[], Mapping[str, float | None]],
        main_score: str | None,
        *,
        patience: int | None = None,
        exchange: Exchange,
        first_epoch: int = 1,
        weights_as: Callable[
            [keras.Model], contextlib.AbstractContextManager
        ] = contextlib.nullcontext,
    ):
        super().__init__()
        self._measure, self._main_score = measure, main_score
        self._patience, self._exchange = patience, exchange
        self._first_epoch, self._weights_as = first_epoch, weights_as
        self.epoch, self.scores, self.weights = 0, {}, {}
        self.score = -math.inf

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        with self._weights_as(self.model):
            self._measure_and_keep(epoch, {} if logs is None else logs)

    def _measure_and_keep(self, epoch, logs):
        scores = self._measure() if self._exchange.rank.is_chief else {}
        scores = {k: float(v) if _is_finite(v) else None for k, v in scores.items()}
        scores = json.loads(self._exchange.bytes_of_chief(json.dumps(scores).encode()))
        logs |= {f"val_{name}": _number(value) for name, value in scores.items()}
        if epoch + 1 < self._first_epoch:
            return
        if self._main_score in scores:
            value = _number(scores[self._main_score])
        else:
            value = -_number(logs.get("val_loss"))
        if value > self.score or not self.epoch:
            self.epoch, self.scores = epoch + 1, scores
            self.score = -math.inf if math.isnan(value) else value
            self.weights = {v.path: np.array(v) for v in self.model.trainable_variables}
        elif self._patience is not None and epoch + 1 - self.epoch >= self._patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if not self.epoch:
            return
        for variable in self.model.trainable_variables:
            variable.assign(self.weights[variable.path])

    def state(self) -> dict[str, Any]:
        """What it remembers besides the weights, as JSON has it."""
        best = None if math.isinf(self.score) else self.score
        return {"epoch": self.epoch, "scores": self.scores, "best": best}

    def restore(self, state: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> None:
        """Takes what another one remembered."""
        self.epoch, self.scores, self.weights = state["epoch"], state["scores"], dict(weights)
        self.score = -math.inf if state["best"] is None else state["best"]


def _is_finite(value):
    return value is not None and math.isfinite(value)


def _number(value):
    return math.nan if value is None else float(value)
