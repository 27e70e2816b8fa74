"""Fine-tunes a checkpoint on a table of texts and labels."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.data.examples.table_files import Table, read_table
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.finetune import OF_SOME_TASKS, FinetuneOptions
from keras_roberta.jobs.unfinished_run import UnfinishedRun, run_record
from keras_roberta.options import OptionError
from keras_roberta.schemas import Schema
from keras_roberta.tasks.registry import TaskEntry, task_of_command
from keras_roberta.unknown_arguments import nearest

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_roberta.tasks.task import RobertaTask

_LOSS = "loss"  # on the dev table, in place of a score


def finetune(
    preset: str | Path,
    train: str | Path,
    dev: str | Path | None,
    out: str | Path,
    options: FinetuneOptions | None = None,
    *,
    overwrite: bool = False,
    strategy: tf.distribute.Strategy | Callable[[], tf.distribute.Strategy] | None = None,
    start: Callable | None = None,
    further_files: Mapping[str, str | Path | None] = {},
) -> tuple[RobertaTask, dict[str, Any]]:
    """Fine-tunes, measures on the dev file after each epoch and writes the best one as a preset.

    `out` gets the preset, `metrics.json`, `history.csv`, of these `report.json` and `report.png`,
    and what `write_evaluation` writes of the dev file, all at once when all is done. Until then it
    has `unfinished/`, with the state after the last epoch but for the very last: the same call goes
    on from there, and ends with the weights of one that was not killed.

    Args:
        preset: see `RobertaTask.from_preset`.
        train, dev: tables; see `read_table`. `dev` may be None.
        out: directory to write.
        options: what to learn and how to train; None for the defaults.
        overwrite: replace files in `out`, if there are any, and start anew where a run was left.
        strategy: None for one device, or a function that makes a strategy, called once the tables
            have been read. Of several workers, each of which reads all the files, the chief writes
            `out`.
        start: what makes the task that is trained; see `train_and_keep_best`.
        further_files: which `start` reads, by name: a run goes on only with the same.

    Returns:
        the task and its metrics, a dict.

    Raises:
        InputError: names the file, line, column or option that does not fit; or `out` holds an
            unfinished run of others. What can be told from the files is, before TensorFlow is
            imported.
    """
    options = options or FinetuneOptions()
    data = TrainingData.read(train, dev, options)
    open_checkpoint(preset)
    files = {"train": train, "dev": dev, **further_files}
    run = UnfinishedRun(out, run_record(preset, files, options.to_dict()))
    run.check(overwrite)
    import tensorflow as tf

    from keras_roberta.jobs.train_and_keep_best import save_trained, train_and_keep_best
    from keras_roberta.training.runs.run_states import RunStates
    from keras_roberta.training.workers.exchange import Exchange

    strategy = strategy or tf.distribute.get_strategy
    strategy = strategy() if callable(strategy) else strategy
    exchange = Exchange(strategy)
    is_chief = exchange.rank.is_chief
    with run.held(overwrite) if is_chief else contextlib.nullcontext():
        trained = train_and_keep_best(
            preset,
            data,
            options,
            RunStates(run.states, keep=1),
            strategy,
            begin=run.begin,
            start=start,
        )
        if is_chief:
            save_trained(trained, data, out, Path(out).name)
            run.remove()
        exchange.of_chief([0])  # a worker that has ended would pass for one that was lost
    return trained.task, trained.metrics


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """The tables of a task.

    Attributes:
        entry: the task.
        schema: its labels, as the training table has them.
        settings: further arguments of its `from_preset`.
        train, dev: `Table`, dev may be None.
        texts, targets: of the training table.
        validation: a pair of those of the dev table, or None.
        repairs: how often labels were repaired, by the name of the table and of what was repaired.
    """

    entry: TaskEntry
    schema: Schema
    settings: dict[str, Any]
    train: Table
    dev: Table | None
    texts: Any
    targets: Any
    validation: tuple[Any, Any] | None
    repairs: dict[str, int]

    @classmethod
    def read(
        cls, train: str | Path, dev: str | Path | None, options: FinetuneOptions
    ) -> TrainingData:
        """Reads and checks the tables.

        Raises:
            InputError: names the file, line, column or option that does not fit.
        """
        columns, entry = options.columns, task_of_command(options.task)
        settings = options.settings_of(entry.schema_cls)
        suffix = entry.schema_cls.default_suffix
        train, dev = (
            path and read_table(path, suffix, header=columns.header).head(options.limit)
            for path in (train, dev)
        )
        _check_options(entry, options, dev)
        schema = entry.schema_cls.from_table(train, columns, num_classes=options.num_classes)
        fields = {field.name for field in dataclasses.fields(schema)}
        of_schema = {name: value for name, value in settings.items() if name in fields}
        schema = dataclasses.replace(schema, **of_schema)
        texts, targets = schema.read_inputs(train, columns), schema.read_targets(train, columns)
        validation = None
        if dev:
            validation = (
                schema.read_inputs(dev, columns.of_dev, prefix="--dev-"),
                schema.read_targets(dev, columns.of_dev, prefix="--dev-"),
            )
            try:
                schema = schema.with_dev_targets(targets, validation[1])
            except InputError as error:
                raise InputError(f"{dev.path}: {error}") from None
        repairs = {f"train_{k}": n for k, n in schema.repairs(train, columns).items()}
        if dev:
            repairs |= {f"dev_{k}": n for k, n in schema.repairs(dev, columns.of_dev).items()}
        data = cls(entry, schema, settings, train, dev, texts, targets, validation, repairs)
        data.deciding_score(options.metric)
        return data

    def deciding_score(self, metric: str | None) -> str | None:
        """The score of the dev table by which the best epoch is chosen; None for the loss.

        Args:
            metric: its name, or "loss"; None for the schema's main score.

        Raises:
            OptionError: the schema has no such score, or it tells nothing of what is better.
        """
        if self.validation is None or metric == _LOSS:
            return None
        targets = self.validation[1]
        if metric is None:
            return self.schema.main_score_of(targets)
        known = (*self.schema.ranking_scores(targets), _LOSS)
        if metric not in known:
            raise OptionError(
                "metric",
                f"{metric!r}: expected one of {', '.join(known)}{nearest(metric, known)}",
            )
        return metric

    def read_as(self, schema: Schema, options: FinetuneOptions) -> TrainingData:
        """The same tables with the labels of another schema of the task.

        Raises:
            InputError: names the line whose label it does not know.
        """
        columns, validation = options.columns, self.validation
        targets = schema.read_targets(self.train, columns)
        if self.dev:
            of_dev = schema.read_targets(self.dev, columns.of_dev, prefix="--dev-")
            validation = self.validation[0], of_dev
        return dataclasses.replace(self, schema=schema, targets=targets, validation=validation)


def _check_options(entry, options, dev):
    """Raises where the task does not have an option, or it needs a dev file."""
    defaults = FinetuneOptions()
    for name in OF_SOME_TASKS:
        given = getattr(options, name) != getattr(defaults, name)
        if given and name not in entry.schema_cls.training_options:
            raise OptionError(name, f": the task {entry.command} does not have it; leave it out")
    for name in ("calibrate", "patience", "metric"):
        if getattr(options, name) and not dev:
            raise OptionError(name, ": is decided by dev data; give a dev file")
