"""Trains on from a preset that is fine-tuned, with its head and labels or those of the data."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.checkpoints.protocol import Checkpoint
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.options import OptionError
from keras_roberta.schemas.fitting_head import check_head_fits
from keras_roberta.tasks.registry import OWN_TASKS, TASKS

if TYPE_CHECKING:
    from keras_roberta.jobs.finetune import TrainingData
    from keras_roberta.tasks.task import RobertaTask

# Options of `finetune` that say what a new task is.
OF_THE_PRESET = (
    "num_classes",
    "pooling",
    "prefix",
    "corpus_prefix",
    "labelled_pieces",
    "stride",
)

_Options = TypeVar("_Options", bound=FinetuneOptions)


def options_of_preset(preset: str | Path, options: _Options) -> tuple[Checkpoint, _Options]:
    """A fine-tuned preset, and the options with its task.

    Raises:
        InputError: it is not fine-tuned, or options say what is the preset's to say.
    """
    source = open_checkpoint(preset)
    commands = {entry.class_name: entry.command for entry in TASKS if entry.command}
    if source.head_name not in commands:
        known = source.head_name in (None, *(entry.class_name for entry in TASKS))
        raise InputError(
            f"{preset}: has no fine-tuned head; fine-tune it first with "
            f"`keras-roberta finetune --preset {preset}`"
            f"{'' if known else f', or name the module of its task in {OWN_TASKS}'}"
        )
    command = commands[source.head_name]
    if options.task not in (type(options)().task, command):
        raise OptionError("task", f": the preset's is {command}; leave it out")
    for name in OF_THE_PRESET:
        if getattr(options, name) is not None:
            raise OptionError(name, ": is the preset's; leave it out")
    if options.new_head:
        raise OptionError("new_head", ": the preset's head is trained on; leave it out")
    return source, dataclasses.replace(options, task=command)


def open_to_train(
    preset: str | Path, data: TrainingData, options: FinetuneOptions, strategy: Any
) -> tuple[RobertaTask, TrainingData]:
    """The preset's task, and the data as its schema reads them; see `train_and_keep_best.Start`."""
    task = _task(preset, data, options, strategy)
    return task, data.read_as(task.schema, options)


def with_fitting_head(
    preset: str | Path, data: TrainingData, options: FinetuneOptions, strategy: Any
) -> tuple[RobertaTask, TrainingData, str]:
    """The task that the data are for, with the preset's head where that has the same labels.

    Their order is the preset's then. Otherwise, and with `options.new_head`, the head begins
    random.

    Returns:
        task, data as its schema reads them, and a line for people about the head; "" where there is
        nothing to say, as of a preset without one.
    """
    saved, said = None, ""
    if not options.new_head:
        saved, said = _fitting_head(preset, data)
    if saved is None:
        settings = {"load_head": False, **data.schema.task_settings()}
    else:
        settings = data.schema.settings_with_head(saved)
    task = _task(preset, data, options, strategy, **(settings | data.settings))
    if saved is not None:
        data = data.read_as(task.schema, options)
    return task, data, said if task.head_weights_by_name() else ""


def _fitting_head(preset, data):
    """What the preset's head was made with, None where the data need a new one, and a line."""
    source, cls = open_checkpoint(preset), data.entry.load()
    try:
        saved = source.task_settings(cls)
    except InputError as error:
        return None, f"a new head, as the preset's cannot be read: {error}"
    if saved is None:
        other = source.head_name
        return None, "" if other is None else f"a new head; the preset's is {other}"
    saved = {**(saved.get("preprocessor") or {}), **saved}
    try:
        check_head_fits(data.schema.task_settings(), saved)
    except InputError as error:
        return None, f"a new head, as the preset's does not fit: {error}"
    return saved, "the preset's head learns on"


def _task(preset, data, options, strategy, **settings):
    import keras

    from keras_roberta.jobs.regularization import encoder_settings

    if options.sequence_length is not None:  # else the preset's stays, where its head does
        settings["sequence_length"] = options.sequence_length
    keras.utils.set_random_seed(options.seed)
    with strategy.scope():
        return data.entry.load().from_preset(
            preset,
            **settings,
            max_sequence_length=options.max_sequence_length,
            dtype=options.dtype,
            remat=options.remat,
            **encoder_settings(options),
        )
