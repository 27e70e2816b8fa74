"""A preset's task, where it has one that answers."""

from pathlib import Path

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.errors import InputError
from keras_roberta.tasks.registry import TASKS


def open_finetuned_task(preset: str | Path):
    """The Keras task of a preset: the first whose head it has and whose outputs are answers.

    A masked language model that was only pre-trained is such a task too: it fills in `<mask>`.

    Raises:
        InputError: there is no preset, or nothing in it that answers.
    """
    source = open_checkpoint(preset)
    for entry in TASKS:
        cls = entry.load()
        if cls.schema_cls is not None and source.task_settings(cls) is not None:
            return cls.from_preset(preset)
    if source.head_name not in (None, *(entry.class_name for entry in TASKS)):
        raise InputError(f"{preset}: no task here reads its head, {source.head_name}")
    raise only_pretrained(preset)


def only_pretrained(preset: str | Path) -> InputError:
    """An error about a model that has learnt nothing from labels, to raise."""
    return InputError(
        f"{preset}: is only pre-trained; fine-tune it first with "
        f"`keras-roberta finetune --preset {preset}`"
    )
