"""Trains a task with a progress bar, and writes what came of it."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_roberta.checkpoints.formats import format_named
from keras_roberta.jobs import regularization
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.reports.contents import Report
from keras_roberta.reports.write import write_report
from keras_roberta.tasks.task import RobertaTask
from keras_roberta.training.optimizer.averaged_weights import ValidateAverages
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer
from keras_roberta.training.runs.epoch_rows import EpochRows
from keras_roberta.training.runs.progress import ProgressBar
from keras_roberta.training.workers.fit_workers import FitWorkers

# What jobs write beside a preset, as far as there is cause: none of it outlives that.
ABOUT_A_RUN = (
    "trimming.json",
    *("metrics.json", "history.csv", "report.json", "report.png", "evaluation.json"),
    *("confusion.png", "classes.png", "reliability.png", "runs.json", "runs.tsv", "runs.png"),
)


def compile_task(
    model: RobertaTask, options: FinetuneOptions, loss_transforms: Sequence[Callable] = ()
) -> None:
    """Makes a task ready to train as `options` say, its optimizer built."""
    with FitWorkers(model).scope():
        if options.lora_rank:
            model.backbone.enable_lora(options.lora_rank)
        loss = "auto"
        if options.label_smoothing:
            loss = model.default_loss(label_smoothing=options.label_smoothing)
        model.compile(
            finetuning_optimizer(
                options.learning_rate,
                warmup=options.warmup,
                weight_decay=options.weight_decay,
                **regularization.optimizer_settings(model, options),
            ),
            loss,
            loss_transforms=[
                *loss_transforms,
                *regularization.loss_transforms(model, options, options.seed),
            ],
            gradient_transforms=regularization.gradient_transforms(options),
        )
        model.optimizer.build(model.trainable_variables)


def fit(
    model: RobertaTask,
    texts: Any,
    targets: Any,
    validation: tuple[Any, Any] | None,
    options: FinetuneOptions,
    *,
    rows: EpochRows | None = None,
    changing: Sequence[keras.callbacks.Callback] = (),
    measuring: Sequence[keras.callbacks.Callback] = (),
    saving: Sequence[keras.callbacks.Callback] = (),
) -> list[dict[str, float]]:
    """Fits a compiled task with a progress bar.

    Args:
        model: a task.
        texts, targets: what it learns from.
        validation: a pair of these, or None.
        options: how to train.
        rows: the epochs that were trained before; it gets those of this call.
        changing: Keras callbacks that come first, since they change weights.
        measuring: Keras callbacks whose results the bar and the rows have.
        saving: Keras callbacks that come last.

    Returns:
        list of dicts, one an epoch.
    """
    rows = EpochRows() if rows is None else rows
    bar = ProgressBar("fine-tuning")
    if options.ema_momentum is not None:
        measuring = [ValidateAverages(), *measuring]
    try:
        model.fit(
            texts,
            targets,
            validation_data=validation,
            batch_size=options.batch_size,
            epochs=options.epochs,
            initial_epoch=len(rows.rows),
            class_weight=options.class_weight,
            callbacks=[*changing, *measuring, bar, rows, *saving],
            verbose=0,
        )
    finally:
        bar.close()
    return rows.rows


def save(
    model: RobertaTask,
    out: str | Path,
    metrics: dict[str, Any],
    history: list[dict[str, float]],
    report: Report | None = None,
    evaluation: Callable[[Path], None] | None = None,
) -> None:
    """Writes the preset, its metrics, the history of the run and its report, all or nothing.

    Args:
        evaluation: writes what was measured into a directory.
    """
    with format_named("keras").atomic_directory(out, replaces=ABOUT_A_RUN) as directory:
        if report is not None:
            write_report(directory, report)
        if evaluation is not None:
            evaluation(directory)
        model.save_to_preset(directory)
        text = json.dumps(metrics, indent=2) + "\n"
        (directory / "metrics.json").write_text(text, encoding="utf-8")
        with open(directory / "history.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, history[0])
            writer.writeheader()
            writer.writerows(history)
