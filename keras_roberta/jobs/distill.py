"""Trains a task with fewer layers on what a fine-tuned one answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.errors import InputError
from keras_roberta.jobs.finetune import TrainingData, finetune
from keras_roberta.jobs.options.distill import DistillOptions
from keras_roberta.options import OptionError
from keras_roberta.tasks.registry import TASKS

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_roberta.tasks.task import RobertaTask

# Options of `finetune` that say what a new task is.
OF_THE_TEACHER = (
    "num_classes",
    "pooling",
    "prefix",
    "corpus_prefix",
    "labelled_pieces",
    "stride",
)


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
        train, dev, out, overwrite, strategy: see `finetune`, whose files are written.
        options: None for the defaults.

    Returns:
        the student and its metrics, a dict.

    Raises:
        InputError: as `finetune`; or the preset is no teacher: it is not fine-tuned, has too few
            layers, or other labels than the table.
    """
    source, options = open_checkpoint(teacher), options or DistillOptions()
    commands = {entry.class_name: entry.command for entry in TASKS if entry.command}
    if source.head_name not in commands:
        raise InputError(
            f"{teacher}: has no fine-tuned head to learn from; fine-tune it first with "
            f"`keras-roberta finetune --preset {teacher}`"
        )
    command = commands[source.head_name]
    if options.task not in (DistillOptions().task, command):
        raise OptionError("task", f": the teacher's is {command}; leave it out")
    for name in OF_THE_TEACHER:
        if getattr(options, name) is not None:
            raise OptionError(name, ": is the teacher's; leave it out")
    of_layers = source.config.num_layers
    num_layers = max(1, of_layers // 2) if options.num_layers is None else options.num_layers
    if num_layers >= of_layers:
        raise OptionError(
            "num_layers", f": the teacher has {of_layers} layers, and a student fewer than that"
        )
    options = dataclasses.replace(options, task=command, num_layers=num_layers)
    return finetune(
        teacher, train, dev, out, options, overwrite=overwrite, strategy=strategy, start=_student
    )


def _student(preset: str | Path, data: TrainingData, options: DistillOptions, strategy: Any):
    """The student, what its training step has besides, and the data as the teacher's schema reads
    them; see `train_and_keep_best`."""
    import keras

    from keras_roberta.tasks.student import student_of
    from keras_roberta.training.step.distillation import Distillation

    keras.utils.set_random_seed(options.seed)
    with strategy.scope():
        teacher = data.entry.load().from_preset(
            preset,
            sequence_length=options.sequence_length,
            dtype=options.dtype,
            remat=options.remat or None,
            encoder_dropout=options.dropout,
        )
        student = student_of(teacher, options.num_layers)
    transform = Distillation(
        teacher,
        label_weight=options.label_weight,
        logit_weight=options.logit_weight,
        hidden_weight=options.hidden_weight,
    )
    return student, [transform], data.read_as(teacher.schema, options)
