"""Trains a task on tables, measures it after each epoch, and keeps the best epoch."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from keras_roberta.data.examples.label_names import shortened
from keras_roberta.files.json_kinds import OBJECT, ListOf, MapOf, Maybe, Number, Record, Whole
from keras_roberta.files.room import bytes_of, check_room
from keras_roberta.jobs.finetuned_start import with_fitting_head
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.jobs.task_training import compile_task, fit, save
from keras_roberta.reports.evaluation import Evaluation, write_evaluation
from keras_roberta.reports.training_curves import finetuning_report
from keras_roberta.schemas.calibration import Reliability
from keras_roberta.schemas.metrics import Details
from keras_roberta.tasks.task import RobertaTask
from keras_roberta.training.fit_changes import FitChange
from keras_roberta.training.optimizer.averaged_weights import averaged_weights
from keras_roberta.training.runs.best_epoch import BestEpoch
from keras_roberta.training.runs.epoch_rows import EpochRows
from keras_roberta.training.runs.progress import console
from keras_roberta.training.runs.run_states import RunStates, state_variables
from keras_roberta.training.runs.save_epochs import SaveEpochs
from keras_roberta.training.runs.shared_state import restore_on_all
from keras_roberta.training.workers.exchange import Exchange

if TYPE_CHECKING:
    from keras_roberta.jobs.finetune import TrainingData

# The values of a saved state.
_SCORES = MapOf(Maybe(Number()))
_BEST = Record({"epoch": Whole(0), "scores": _SCORES, "best": Maybe(Number())})
_STATE = Record(
    {"seconds": Number(0), "rows": ListOf(_SCORES), "best": Maybe(_BEST)},
    {"changes": ListOf(OBJECT)},
)


@dataclasses.dataclass(frozen=True)
class Start:
    """What a training begins with.

    Attributes:
        task: not compiled.
        data: as the task learns them.
        said: a line for people about it, or "".
        loss_transforms: of its training step.
        callbacks: Keras callbacks that change weights.
        first_epoch: the number, from 1, of the first epoch that may be kept.
        measured_as: makes a context in which the task has the weights that are measured.
        metrics: what else there is to say of the training.
    """

    task: RobertaTask
    data: TrainingData
    said: str = ""
    loss_transforms: Sequence[Callable] = ()
    callbacks: Sequence[keras.callbacks.Callback] = ()
    first_epoch: int = 1
    measured_as: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext
    metrics: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class TrainedTask:
    """What came of a training.

    Attributes:
        task: with the weights of the best epoch, or of the last one where nothing was measured.
        metrics: rows, seconds, and the scores of that epoch.
        history: a dict an epoch.
        scores: of that epoch on the dev data; empty where there are none.
        score: what the best epoch was chosen by, larger is better; -inf where it is no number.
        evaluation: of the task on the dev data, None where there are none.
        before: its reliability before the calibration, if there was one.
    """

    task: RobertaTask
    metrics: dict[str, Any]
    history: list[dict[str, float]]
    scores: dict[str, float | None]
    score: float = -math.inf
    evaluation: Evaluation | None = None
    before: Reliability | None = None


class DevSet:
    """The dev data of a run, measured by its schema."""

    def __init__(self, begun: Start, batch_size: int):
        self._task, self._schema, self._batch_size = begun.task, begun.data.schema, batch_size
        self._measured_as = begun.measured_as
        self.texts, self.targets = begun.data.validation
        self._outputs: dict[str, Any] = {}

    def measure(self) -> dict[str, float | None]:
        """The scores of the task as it is."""
        with self._measured_as():
            self._outputs = self._task.named_outputs(self.texts, batch_size=self._batch_size)
        return self._schema.scores(self._outputs, self.targets)

    def details(self) -> Details:
        """The details of what was measured last."""
        return self._schema.details(self._outputs, self.targets)


def train_and_keep_best(
    preset: str | Path,
    data: TrainingData,
    options: FinetuneOptions,
    states: RunStates,
    strategy: tf.distribute.Strategy,
    *,
    begin: Callable[[], None],
    start: Callable[..., Start] | None = None,
) -> TrainedTask:
    """Trains from a preset, or goes on from the state that a run has left.

    Args:
        data: what it learns from and is measured on.
        states: of the run; the chief's.
        strategy: all of its workers call this.
        begin: called before the first state is written.
        start: makes what it begins with: function of preset, data, options and strategy; by
            default `start_of_preset`.
    """
    exchange = Exchange(strategy)
    is_chief = exchange.rank.is_chief
    begun = (start or start_of_preset)(preset, data, options, strategy)
    task, data = begun.task, begun.data
    if is_chief:
        if begun.said:
            console.print(begun.said, markup=False, highlight=False)
        _print_classes(data.schema)
    compile_task(task, options, begun.loss_transforms)
    dev = best = None
    if data.validation is not None:
        dev = DevSet(begun, options.batch_size)
        best = BestEpoch(
            dev.measure,
            data.deciding_score(options.metric),
            patience=options.patience,
            exchange=exchange,
            first_epoch=begun.first_epoch,
            weights_as=averaged_weights,  # which are the weights where no averages are asked for
        )
    averaged = options.ema_momentum is not None
    changes = [one for one in begun.callbacks if isinstance(one, FitChange)]
    rows, seconds = _restore(states, task, best, changes, exchange)
    if is_chief:
        needed = bytes_of(task.weights)
        if options.epochs > 1:  # one state more than is kept, while that is written
            needed += 2 * bytes_of(state_variables(task).values())
        check_room(states.directory, needed)
        if rows.rows:
            console.print(f"going on after epoch {len(rows.rows)}")
    started = time.monotonic() - seconds
    saving = SaveEpochs(
        states,
        values=lambda: {
            "seconds": time.monotonic() - started,
            "rows": [_with_nulls(row) for row in rows.rows],
            "best": best and best.state(),
            "changes": [change.state() for change in changes],
        },
        # If the last epoch is the best, the state already holds its weights, unless they are
        # averages.
        tensors=lambda: best.weights if best and (averaged or best.epoch < len(rows.rows)) else {},
        before=begin,
    )
    fit(
        task,
        data.texts,
        data.targets,
        data.validation,
        options,
        rows=rows,
        changing=begun.callbacks,
        measuring=[best] if best else [],
        saving=[saving] if is_chief else [],
    )
    seconds = time.monotonic() - started
    metrics = {"train_rows": len(data.train), "train_seconds": round(seconds, 1), **data.repairs}
    metrics |= begun.metrics
    if best is None:
        return TrainedTask(task, metrics, rows.rows, {})
    metrics |= {"epochs": len(rows.rows), "best_epoch": best.epoch}
    metrics |= {"dev_rows": len(data.dev), **best.scores}
    if not is_chief:
        return TrainedTask(task, metrics, rows.rows, best.scores, best.score)
    if best.epoch < len(rows.rows):
        dev.measure()  # what was measured last is of a later epoch
    before = None
    if options.calibrate:
        before = dev.details().reliability
        metrics |= task.calibrate(dev.texts, dev.targets, options.batch_size)
        dev.measure()
    evaluation = Evaluation(len(data.dev), best.scores, dev.details())
    return TrainedTask(
        task, metrics, rows.rows, best.scores, best.score, evaluation=evaluation, before=before
    )


def start_of_preset(
    preset: str | Path,
    data: TrainingData,
    options: FinetuneOptions,
    strategy: tf.distribute.Strategy,
) -> Start:
    """A task with the encoder of a preset, its head where that fits; see `with_fitting_head`."""
    return Start(*with_fitting_head(preset, data, options, strategy))


def save_trained(trained: TrainedTask, data: TrainingData, out: str | Path, name: str) -> None:
    """Writes the preset and all that was measured of it, all or nothing.

    Args:
        name: of the model, in pictures.
    """
    title = data.train.path.name
    report = finetuning_report(trained.history, trained.scores, name=name, title=title)
    evaluation = None
    if trained.evaluation is not None:
        evaluation = functools.partial(
            write_evaluation,
            evaluation=trained.evaluation,
            title=f"{name} on {data.dev.path.name}",
            before=trained.before,
        )
    save(trained.task, out, trained.metrics, trained.history, report, evaluation)


def _print_classes(schema):
    if schema.label_names:
        numbered = shortened(f"{i} = {name}" for i, name in enumerate(schema.label_names))
        console.print(f"classes: {numbered}", markup=False, highlight=False)


def _restore(states, task, best, changes, exchange):
    """The epochs that were trained before, as `EpochRows`, and their seconds."""
    found = restore_on_all(states, task, _STATE, exchange)
    if found is None:
        return EpochRows(), 0.0
    if best is not None:
        weights = {v.path: v.numpy() for v in task.trainable_variables}
        best.restore(found["best"], found.get("tensors", weights))
    for change, state in zip(changes, found.get("changes", ()), strict=False):
        change.restore(state)
    rows = [{k: math.nan if v is None else v for k, v in row.items()} for row in found["rows"]]
    return EpochRows(rows), found["seconds"]


def _with_nulls(row):
    return {k: v if math.isfinite(v) else None for k, v in row.items()}
