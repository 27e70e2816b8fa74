"""Fine-tunes a checkpoint on a table of texts and labels."""

import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_roberta.data.examples.table_files import read_table
from keras_roberta.files.atomic_write import atomic_directory
from keras_roberta.files.output_directory import check_output_directory
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.reports.contents import Report
from keras_roberta.reports.training_curves import finetuning_report
from keras_roberta.reports.write import write_report
from keras_roberta.tasks.registry import task_of_command
from keras_roberta.tasks.task import RobertaTask
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer
from keras_roberta.training.runs.progress import ProgressBar
from keras_roberta.training.workers.multi_worker import WorkerRank


def finetune(
    preset: str | Path,
    train: str | Path,
    dev: str | Path | None,
    out: str | Path,
    options: FinetuneOptions | None = None,
    *,
    overwrite: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> tuple[RobertaTask, dict[str, Any]]:
    """Fine-tunes, measures on the dev file and writes a preset.

    `out` gets the preset, `metrics.json`, `history.csv`, and of these `report.json` and
    `report.png`, all at once when all is done.

    Args:
        preset: see `RobertaTask.from_preset`.
        train, dev: tables; see `read_table`. `dev` may be None.
        out: directory to write.
        options: what to learn and how to train; None for the defaults.
        overwrite: replace files in `out`, if there are any.
        strategy: None for one device. Of several workers, each of which reads all the files, the
            chief writes `out`.

    Returns:
        the task and its metrics, a dict.

    Raises:
        InputError: names the file, line, column or option that does not fit.
    """
    options = options or FinetuneOptions()
    columns, cls = options.columns, task_of_command(options.task)
    strategy = strategy or tf.distribute.get_strategy()
    is_chief = WorkerRank.of(strategy).is_chief
    if is_chief:
        check_output_directory(out, overwrite)
    train, dev = (path and read_table(path).head(options.limit) for path in (train, dev))
    schema = cls.schema_cls.from_table(train, columns, num_classes=options.num_classes)
    texts, targets = schema.read_inputs(train, columns), schema.read_targets(train, columns)
    validation = None
    if dev:
        validation = (
            schema.read_inputs(dev, columns.of_dev, prefix="--dev-"),
            schema.read_targets(dev, columns.of_dev, prefix="--dev-"),
        )

    keras.utils.set_random_seed(options.seed)
    with strategy.scope():
        model = cls.from_preset(
            preset,
            load_head=False,
            **schema.task_settings(),
            sequence_length=options.sequence_length,
            dtype=options.dtype,
            remat=options.remat or None,  # without the option, what the preset says
            encoder_dropout=options.dropout,
        )
    started = time.monotonic()
    history = fit(model, texts, targets, validation, options)
    seconds = time.monotonic() - started
    metrics = {"train_rows": len(train), "train_seconds": round(seconds, 1)}
    if not is_chief:
        return model, metrics
    scores = {}
    if validation:
        outputs = model.named_outputs(validation[0], batch_size=options.batch_size)
        scores = schema.scores(outputs, validation[1])
        metrics |= {"dev_rows": len(dev), **scores}
    report = finetuning_report(history, scores, name=Path(out).name, title=train.path.name)
    save(model, out, metrics, history, report)
    return model, metrics


def fit(
    model: RobertaTask,
    texts: Any,
    targets: Any,
    validation: tuple[Any, Any] | None,
    options: FinetuneOptions,
    *,
    description: str = "fine-tuning",
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[dict[str, float]]:
    """Compiles after `options` and fits with a progress bar.

    Args:
        model: a task.
        texts, targets: what it learns from.
        validation: a pair of these, or None.
        options: how to train.
        description: what the bar says.
        callbacks: Keras callbacks besides the bar.

    Returns:
        list of dicts, one an epoch.
    """
    with model.distribute_strategy.scope():
        if options.lora_rank:
            model.backbone.enable_lora(options.lora_rank)
        model.compile(
            finetuning_optimizer(
                options.learning_rate, warmup=options.warmup, weight_decay=options.weight_decay
            )
        )
    bar = ProgressBar(description)
    try:
        history = model.fit(
            texts,
            targets,
            validation_data=validation,
            batch_size=options.batch_size,
            epochs=options.epochs,
            callbacks=[bar, *callbacks],
            verbose=0,
        ).history
    finally:
        bar.close()
    return [
        {"epoch": epoch + 1, **{name: float(values[epoch]) for name, values in history.items()}}
        for epoch in range(len(history["loss"]))
    ]


def save(
    model: RobertaTask,
    out: str | Path,
    metrics: dict[str, Any],
    history: list[dict[str, float]],
    report: Report | None = None,
) -> None:
    """Writes the preset, its metrics, the history of the run and its report, all or nothing."""
    with atomic_directory(out) as directory:
        if report is not None:
            write_report(directory, report)
        model.save_to_preset(directory)
        text = json.dumps(metrics, indent=2) + "\n"
        (directory / "metrics.json").write_text(text, encoding="utf-8")
        with open(directory / "history.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, history[0])
            writer.writeheader()
            writer.writerows(history)
