"""How a checkpoint is fine-tuned."""

import dataclasses
from typing import Any, Self

from keras_roberta.jobs.options.regularization import RegularizationOptions
from keras_roberta.jobs.options.tables import TrainingColumns
from keras_roberta.options import OptionError, option
from keras_roberta.schemas import SCHEMAS, Schema
from keras_roberta.tasks import registry
from keras_roberta.training import finetuning_recipe as recipe
from keras_roberta.unknown_arguments import nearest

_SUMMARIES = "; ".join(f"{e.command}, {e.summary}" for e in registry.TASKS if e.command)
# Options that a schema's `training_options` have to name.
OF_SOME_TASKS = (
    *("label_smoothing", "class_weight", "calibrate"),
    *("r_drop", "confidence_penalty"),
)
DTYPES = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinetuneOptions(RegularizationOptions, TrainingColumns):
    """Of `keras_roberta.jobs.finetune.finetune` and `keras-roberta finetune`."""

    group = "Training"

    task: str = option(
        registry.DEFAULT_COMMAND,
        f"What to learn: {_SUMMARIES}.",
        choices=registry.commands,
        group="Task",
    )
    num_classes: int | None = option(
        None,
        "Classes, where labels are numbers.",
        at_least=2,
        shown_default="as found",
        group="Task",
    )
    pooling: str | None = option(
        None,
        "What the vector of a text is: that of <s>, or the mean over its tokens.",
        choices=("cls", "mean"),
        shown_default="the preset's, or mean",
        group="Task",
    )
    prefix: str | None = option(
        None,
        "Put in front of each text whose vector is taken.",
        shown_default="the preset's",
        group="Task",
    )
    corpus_prefix: str | None = option(
        None,
        "Put in front of second texts, negatives and texts that are searched, in place of "
        "--prefix.",
        shown_default="the same",
        group="Task",
    )
    labelled_pieces: str | None = option(
        None,
        "Which pieces of a word learn its label.",
        choices=("all", "first"),
        shown_default="all",
        group="Task",
    )
    stride: int | None = option(
        None,
        "Tokens that the windows of a long text share, of tasks that read it in windows; at most "
        "half a window.",
        at_least=0,
        shown_default="128",
        group="Task",
    )
    new_head: bool = option(
        False,
        "Start a new head even if the preset's fits; without it, a head that fits is trained "
        "further.",
        group="Task",
    )
    epochs: int = option(recipe.EPOCHS, "Times to go over the data.", at_least=1)
    patience: int | None = option(
        None,
        "Epochs in a row without a better score on the dev file, after which training ends. The "
        "best epoch is kept in any case.",
        at_least=1,
        shown_default="all epochs are trained",
    )
    metric: str | None = option(
        None,
        "Score on the dev file that chooses the best epoch and the best of several runs, such as "
        "f1; or loss.",
        shown_default="the task's first",
    )
    batch_size: int = option(recipe.BATCH_SIZE, "Texts a step.", at_least=1)
    learning_rate: float = option(
        recipe.LEARNING_RATE, "The peak; the rate rises, then falls.", above=0
    )
    weight_decay: float = option(recipe.WEIGHT_DECAY, "Decoupled weight decay.", at_least=0)
    warmup: float = option(
        recipe.WARMUP, "Steps of rising rate, or their share of all when below 1.", at_least=0
    )
    sequence_length: int | None = option(
        None,
        "Longest text in tokens; what is beyond is cut off.",
        at_least=3,
        shown_default="the preset's where its head is trained further, else what the model has "
        "positions for",
    )
    max_sequence_length: int | None = option(
        None,
        "Positions that the model gets, copied from those it has, to learn from longer texts.",
        at_least=3,
        shown_default="as many as it has",
    )
    seed: int = option(0, "Seeds head, order and dropout.", at_least=0, at_most=2**32 - 1)
    dtype: str = option("float32", "Precision.", choices=DTYPES)
    remat: bool | None = option(
        None,
        "Less memory for more time: gradient checkpointing.",
        shown_default="as the preset says",
    )
    class_weight: str | None = option(
        None,
        "balanced: errors on a class weigh the more the fewer texts it has.",
        choices=("balanced",),
        shown_default="all texts weigh the same",
    )
    calibrate: bool = option(
        False,
        "Fit a temperature on the dev file, so that probabilities say how often answers are right.",
    )
    lora_rank: int | None = option(
        None, "Train only adapters of this rank, and the head.", at_least=1
    )

    def check(self):
        super().check()
        for name in ("fgm", "mixout"):
            if self.lora_rank is not None and getattr(self, name) is not None:
                raise OptionError(
                    (name, "lora_rank"),
                    ": adapters leave the weights as they are; give one of both",
                )

        if self.lora_rank is not None and self.max_sequence_length is not None:
            raise OptionError(
                ("max_sequence_length", "lora_rank"),
                ": adapters leave positions as they are, so that new ones would not be learnt; "
                "leave one out",
            )

    def settings_of(self, schema: type[Schema]) -> dict[str, Any]:
        """Those that only some tasks have, where they were given.

        Raises:
            InputError: this one has not.
        """
        names = dict.fromkeys(name for cls in SCHEMAS.values() for name in cls.settings)
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        for name in given:
            if name not in schema.settings:
                raise OptionError(name, f": --task {self.task} has no such setting; leave it out")
        return given

    @classmethod
    def of_recipe(cls, name: str, **changes: Any) -> Self:
        """The options of a recipe, see `keras_roberta.training.finetuning_recipe.RECIPES`.

        Args:
            **changes: options that are other than the recipe's.

        Raises:
            OptionError: there is no such recipe, or a value does not fit.
        """
        if name not in recipe.RECIPES:
            known = ", ".join(recipe.RECIPES)
            raise OptionError(
                "recipe", f"{name!r}: expected one of {known}{nearest(name, recipe.RECIPES)}"
            )
        return cls.from_flat({**recipe.RECIPES[name], **changes})
