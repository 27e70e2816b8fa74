"""A preset's task, where it has one that answers."""

import logging
from pathlib import Path

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.errors import InputError
from keras_roberta.tasks.registry import TASKS, task_class_of, unread_head

logger = logging.getLogger("keras_roberta")


def open_finetuned_task(preset: str | Path):
    """The Keras task of a preset, of those whose outputs are answers.

    A masked language model that was only pre-trained is such a task too: it fills in `<mask>`. A
    warning names heads that the task has no place for, such as those of other objectives.

    Raises:
        InputError: there is no preset, or nothing in it that answers.
    """
    source = open_checkpoint(preset)
    if source.head_name is None:
        raise only_pretrained(preset)
    cls = task_class_of(source, lambda cls: cls.schema_cls is not None)
    if cls is not None:
        if left_out := source.heads_unread_by(cls):
            logger.warning(
                "%s: opened as %s, without the head %s",
                source.directory,
                cls.__name__,
                ", ".join(left_out),
            )
        return cls.from_preset(preset)
    if source.head_name not in (None, *(entry.class_name for entry in TASKS)):
        raise unread_head(source)
    raise only_pretrained(preset)


def only_pretrained(preset: str | Path) -> InputError:
    """An error about a model that has learnt nothing from labels, to raise."""
    return InputError(
        f"{preset}: is only pre-trained; fine-tune it first with "
        f"`keras-roberta finetune --preset {preset}`"
    )
