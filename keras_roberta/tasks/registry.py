"""The list of tasks: all that the rest of the library knows of them by name.

Nothing here imports TensorFlow or Keras; a task's own file is imported when it is asked for.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from keras_roberta.errors import InputError
from keras_roberta.unknown_arguments import nearest

if TYPE_CHECKING:
    from keras_roberta.checkpoints.protocol import Checkpoint


@dataclasses.dataclass(frozen=True)
class TaskEntry:
    """A task and where it is declared.

    Attributes:
        class_name: of the Keras class, public as `keras_roberta.<class_name>`.
        module: the file that declares it.
        command: what `--task` of the command line calls it; None where it is not trained there.
        summary: what it does, in a few words, for `--help`.
        schema: the name of its schema, by which tables are read without TensorFlow; None to ask
            the class.
    """

    class_name: str
    module: str
    command: str | None
    summary: str
    schema: str | None = None

    def load(self) -> type:
        """The Keras class."""
        return getattr(importlib.import_module(self.module), self.class_name)

    @property
    def schema_cls(self) -> type | None:
        """The class of its schema; None for a task without answers."""
        from keras_roberta.schemas import SCHEMAS

        return self.load().schema_cls if self.schema is None else SCHEMAS[self.schema]


# See `task_class_of` for what the order means.
TASKS = [
    TaskEntry(
        "RobertaTextRegressor",
        "keras_roberta.tasks.text_regressor",
        "regress",
        "a number for a text or a pair of texts",
        "value",
    ),
    TaskEntry(
        "RobertaTextClassifier",
        "keras_roberta.tasks.text_classifier",
        "classify",
        "one label for a text or a pair of texts",
        "one-label",
    ),
    TaskEntry(
        "RobertaMultiLabelClassifier",
        "keras_roberta.tasks.multi_label_classifier",
        "multi-label",
        "any number of labels for a text or a pair of texts",
        "many-labels",
    ),
    TaskEntry(
        "RobertaMultipleChoice",
        "keras_roberta.tasks.multiple_choice",
        "choice",
        "which of the options of a question is the answer",
        "multiple-choice",
    ),
    TaskEntry(
        "RobertaTextEmbedder",
        "keras_roberta.tasks.text_embedder",
        "embed",
        "a vector for a text",
        "text-vectors",
    ),
    TaskEntry(
        "RobertaTokenClassifier",
        "keras_roberta.tasks.token_classifier",
        "ner",
        "a label for each word, such as those of names (named entities)",
        "entities",
    ),
    TaskEntry(
        "RobertaQuestionAnswerer",
        "keras_roberta.tasks.question_answerer",
        "qa",
        "the part of a context that answers a question",
        "answer-span",
    ),
    TaskEntry(
        "RobertaMaskedLM",
        "keras_roberta.tasks.masked_lm",
        None,
        "the tokens behind <mask>",
        "masked-tokens",
    ),
    TaskEntry(
        "RobertaPretrainer",
        "keras_roberta.tasks.pretrainer",
        None,
        "several objectives of pre-training at once",
    ),
]

DEFAULT_COMMAND = "classify"  # without `--task`
OWN_TASKS = "KERAS_ROBERTA_TASKS"  # the variable that names modules; see `own_tasks`


def register_task(cls: type, *, command: str | None = None, summary: str = "") -> type:
    """Adds a task of your own, so that presets of it open and commands take it.

    The command line imports the modules that `KERAS_ROBERTA_TASKS` names; see `own_tasks`.

    Args:
        cls: a subclass of `RobertaTask`, importable from its module.
        command: its name for `--task`.
        summary: what it does, in a few words.

    The same class registered again, as by a module that was reloaded, takes the older one's place.

    Raises:
        InputError: another task has the class name or the command.
    """
    new = TaskEntry(cls.__name__, cls.__module__, command, summary)
    place = len(TASKS)
    for i, entry in enumerate(TASKS):
        if (entry.class_name, entry.module) == (new.class_name, new.module):
            place = i
        elif entry.class_name == new.class_name:
            raise InputError(
                f"{new.module}.{new.class_name}: the class name is taken by {entry.module}; choose "
                "another"
            )
        elif command is not None and entry.command == command:
            raise InputError(
                f"{new.class_name}: the command {command!r} is taken by {entry.class_name}; choose "
                "another"
            )
    TASKS[place : place + 1] = [new]
    return cls


def commands() -> tuple[str, ...]:
    """What `--task` may be."""
    return tuple(entry.command for entry in TASKS if entry.command)


def task_of_command(command: str) -> TaskEntry:
    """The task of a `--task`.

    Raises:
        InputError: there is none; names the nearest.
    """
    for entry in TASKS:
        if entry.command == command:
            return entry
    known = commands()
    raise InputError(
        f"task {command!r}: expected one of {', '.join(known)}{nearest(command, known)}"
    )


def task_class_of(
    checkpoint: Checkpoint, accepts: Callable[[type], bool] = lambda cls: True
) -> type | None:
    """The class of the task that an opened checkpoint holds; None where there is none.

    A task that was saved as itself is opened as itself, whatever other tasks find their head in
    it. Otherwise the first of `TASKS` whose head it has is taken.

    Args:
        accepts: which classes come into question.

    Raises:
        InputError: the head is damaged.
    """
    for entry in sorted(TASKS, key=lambda entry: entry.class_name != checkpoint.head_name):
        cls = entry.load()
        if accepts(cls) and checkpoint.task_settings(cls) is not None:
            return cls
    return None


def open_task(source, **kwargs):
    """The task that a checkpoint holds; see `task_class_of`.

    Args:
        source: see `RobertaTask.from_preset`.
        **kwargs: arguments of its `from_preset`.

    Raises:
        InputError: the checkpoint has no task's head.
    """
    from keras_roberta.checkpoints.formats import open_checkpoint

    checkpoint = open_checkpoint(source)
    cls = task_class_of(checkpoint)
    if cls is not None:
        return cls.from_preset(source, **kwargs)
    if checkpoint.head_name is not None:
        raise unread_head(checkpoint)
    raise InputError(
        f"{checkpoint.directory}: is an encoder without a task's head; fine-tune it first, with "
        "`keras-roberta finetune` or a task's `fit`"
    )


def unread_head(checkpoint: Checkpoint) -> InputError:
    """An error about a head that is of no task in the list, to raise."""
    return InputError(
        f"{checkpoint.directory}: no task here reads its head, {checkpoint.head_name}; where it is "
        f"one of your own, import the module that registers it, or name that module in {OWN_TASKS}"
    )
