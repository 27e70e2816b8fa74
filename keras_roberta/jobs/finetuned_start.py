"""Trains on from a preset that is fine-tuned: its task, head and labels are those of the result."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.checkpoints.protocol import Checkpoint
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.options import OptionError
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
    return source, dataclasses.replace(options, task=command)


def open_to_train(
    preset: str | Path, data: TrainingData, options: FinetuneOptions, strategy: Any
) -> tuple[RobertaTask, TrainingData]:
    """The preset's task, and the data as its schema reads them; see `train_and_keep_best.Start`."""
    import keras

    from keras_roberta.jobs.regularization import encoder_settings

    keras.utils.set_random_seed(options.seed)
    with strategy.scope():
        task = data.entry.load().from_preset(
            preset,
            sequence_length=options.sequence_length,
            max_sequence_length=options.max_sequence_length,
            dtype=options.dtype,
            remat=options.remat or None,
            **encoder_settings(options),
        )
    return task, data.read_as(task.schema, options)
