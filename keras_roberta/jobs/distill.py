"""Trains a task with fewer layers on what a fine-tuned one answers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_roberta.data.examples.table_files import Table
from keras_roberta.jobs.finetune import TrainingData, finetune
from keras_roberta.jobs.finetuned_start import open_to_train, options_of_preset
from keras_roberta.jobs.options.distill import DistillOptions
from keras_roberta.jobs.unlabelled import read_unlabelled, with_unlabelled
from keras_roberta.options import OptionError

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_roberta.jobs.train_and_keep_best import Start
    from keras_roberta.tasks.task import RobertaTask


def distill(
    teacher: str | Path,
    train: str | Path,
    dev: str | Path | None,
    out: str | Path,
    options: DistillOptions | None = None,
    *,
    overwrite: bool = False,
    strategy: tf.distribute.Strategy | Callable[[], tf.distribute.Strategy] | None = None,
) -> tuple[RobertaTask, dict[str, Any]]:
    """Trains a student of `tasks.student.student_of` with `Distillation`.

    Args:
        teacher: a fine-tuned preset. Its task is that of the student, and the tables have to have
            its labels.
        train, dev, out, overwrite, strategy: see `finetune`, whose files are written. The rows of
            `options.unlabelled` are learnt beside those of `train`, with what the teacher answers
            as their labels.
        options: None for the defaults.

    Returns:
        the student and its metrics, a dict.

    Raises:
        InputError: as `finetune`; or the preset is no teacher: it is not fine-tuned, has too few
            layers, or other labels than the table.
    """
    source, options = options_of_preset(teacher, options or DistillOptions())
    of_layers = source.config.num_layers
    num_layers = max(1, of_layers // 2) if options.num_layers is None else options.num_layers
    if num_layers >= of_layers:
        raise OptionError(
            "num_layers", f": the teacher has {of_layers} layers, and a student fewer than that"
        )
    options = dataclasses.replace(options, num_layers=num_layers)
    unlabelled = options.unlabelled
    if unlabelled is not None:
        unlabelled = read_unlabelled(unlabelled, options)
    return finetune(
        teacher,
        train,
        dev,
        out,
        options,
        overwrite=overwrite,
        strategy=strategy,
        start=functools.partial(_student, unlabelled=unlabelled),
        further_files={"unlabelled": options.unlabelled},
    )


def _student(
    preset: str | Path,
    data: TrainingData,
    options: DistillOptions,
    strategy: Any,
    *,
    unlabelled: Table | None,
) -> Start:
    from keras_roberta.jobs.train_and_keep_best import Start
    from keras_roberta.tasks.student import student_of
    from keras_roberta.training.step.distillation import Distillation

    teacher, data = open_to_train(preset, data, options, strategy)
    metrics = {}
    if unlabelled is not None:
        data = with_unlabelled(data, unlabelled, teacher, options)
        metrics = {"unlabelled_rows": len(unlabelled)}
    with strategy.scope():
        student = student_of(teacher, options.num_layers)
    transform = Distillation(
        teacher,
        label_weight=options.label_weight,
        logit_weight=options.logit_weight,
        hidden_weight=options.hidden_weight,
    )
    return Start(student, data, loss_transforms=[transform], metrics=metrics)
