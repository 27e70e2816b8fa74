"""How a model is pre-trained: one validated record, and the recipes known by name."""

import dataclasses
import os
from typing import Any

from keras_roberta.config import INITIALIZERS, SIZES
from keras_roberta.data.pretraining.batch_options import BatchOptions
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.finetune import DTYPES
from keras_roberta.jobs.pretrain.model_options import ModelOptions
from keras_roberta.options import OptionError, Options, nested, option

REPORTING = ("save_every", "keep_states", "log_every", "evaluate_every", "evaluation_batches")
# What may differ when a run goes on: it decides neither samples nor, but for rounding, weights.
MAY_DIFFER = (*REPORTING, "remat", "check_memory")

BUDGETS = ("steps", "tokens", "hours")
INITIAL_EMBEDDINGS = ("random", "cooccurrence")
# How the weights of a new model start; the first of each is the default.
_STARTS = {"initializer": INITIALIZERS, "initial_embeddings": INITIAL_EMBEDDINGS}


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of a run with batches of one shape.

    Attributes:
        number: 0 for the first.
        until: progress of the run, in (0, 1], at which it ends.
        batches: `BatchOptions`
        parts: what each device's share of a batch is cut into.
    """

    number: int
    until: float
    batches: BatchOptions
    parts: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainingOptions(Options):
    """All that decides a pre-training run; the defaults are roberta-base's.

    A run by `steps` or `tokens` can be repeated exactly; one by `hours` follows the clock; with
    several it ends with the one that is used up first. Ramps are pairs of progress, in [0, 1), and
    the batch size or sequence length from there on; before the first pair that of `batches` holds.

    Raises:
        OptionError: names the value that does not fit.
    """

    group = "Run"

    size: str | None = option(
        "base", "Shape of a new model.", choices=SIZES, shown_default="the recipe's", group="Model"
    )
    preset: str | None = option(
        None,
        "Go on from the weights of this checkpoint, instead of --size.",
        is_path=True,
        group="Model",
    )
    initializer: str = option(
        "normal", "How the weights of a new model are drawn.", choices=INITIALIZERS, group="Model"
    )
    initial_embeddings: str = option(
        "random",
        "Token embeddings of a new model: random, or by what stands beside them in the text.",
        choices=INITIAL_EMBEDDINGS,
        group="Model",
    )
    model: ModelOptions = nested(ModelOptions)
    batches: BatchOptions = nested(
        BatchOptions,
        batch_size=8192,
        shown={
            "batch_size": "the recipe's; one-day without a GPU: 64",
            "sequence_length": "512; one-day: 128",
        },
    )
    loss_weights: dict[str, float] = option(
        {},
        "Factors of the objectives, such as mlm:1,sop:0.5.",
        shown_default="1 each",
        group="Batches",
    )
    steps: int | None = option(
        500_000,
        "Steps to take; repeatable, unlike hours.",
        above=0,
        shown_default="the recipe's",
        group="Budget",
    )
    tokens: int | None = option(
        None,
        "Tokens to see; repeatable, too.",
        above=0,
        shown_default="the recipe's",
        group="Budget",
    )
    hours: float | None = option(
        None, "Time to use.", above=0, shown_default="the recipe's", group="Budget"
    )
    micro_batch_size: int = option(
        64,
        "Sequences on a device at once; the gradients of several are added up.",
        at_least=1,
        group="Batches",
    )
    batch_ramp: tuple[tuple[float, int], ...] = option(
        (), "Batch size from a share of the run on: 0:64,0.3:128,0.6:256.", group="Batches"
    )
    length_ramp: tuple[tuple[float, int], ...] = option(
        (), "The same for the sequence length: 0:128,0.9:512.", group="Batches"
    )
    learning_rate: float | None = option(
        None,
        "The peak; the rate rises, then falls.",
        above=0,
        shown_default="by batch size and width; one-day: 1e-3",
        group="Optimizer",
    )
    warmup: float = option(
        24_000 / 500_000,
        "Share of the run in which the rate rises.",
        at_least=0,
        below=1,
        shown_default="the recipe's",
        group="Optimizer",
    )
    decay_power: float = option(
        1.0, "Power of the polynomial decay of the rate.", above=0, group="Optimizer"
    )
    weight_decay: float = option(
        0.01, "Decoupled, not on biases and norms.", at_least=0, group="Optimizer"
    )
    epsilon: float = option(
        1e-6,
        "Added to AdamW's denominator.",
        above=0,
        shown_default="1e-6; one-day: 1e-12",
        group="Optimizer",
    )
    clip_norm: float | None = option(
        None,
        "Bound on the norm of the gradient.",
        above=0,
        shown_default="the recipe's",
        group="Optimizer",
    )
    dropout: float = option(
        0.1,
        "Dropout rate of hidden states and attention.",
        at_least=0,
        below=1,
        shown_default="0.1; one-day: 0",
        group="Model",
    )
    activation_dropout: float | None = option(
        None,
        "Dropout rate behind the activations of feed-forward layers.",
        at_least=0,
        below=1,
        shown_default="0, or the preset's",
        group="Model",
    )
    layer_drop: float | None = option(
        None,
        "Probability with which a step leaves out a layer (LayerDrop).",
        at_least=0,
        below=1,
        shown_default="0, or the preset's",
        group="Model",
    )
    dtype: str = option("float32", "Precision.", choices=DTYPES, group="Device")
    remat: bool = option(
        False, "Less memory for more time: gradient checkpointing.", group="Device"
    )
    check_memory: bool = option(
        True,
        "Refuse a run that would take more memory than the machine or the card has.",
        group="Device",
    )
    seed: int = option(
        0, "Seeds weights, dropout, order and masking.", at_least=0, at_most=2**32 - 1
    )
    save_every: int = option(1000, "Steps between saved states.", at_least=1)
    keep_states: int = option(2, "Saved states that stay.", at_least=1)
    log_every: int = option(50, "Steps between rows of the log.", at_least=1)
    evaluate_every: int = option(
        1000, "Steps between evaluations; a multiple of --log-every.", at_least=1
    )
    evaluation_batches: int = option(20, "Held-out batches a language, at most.", at_least=1)

    def check(self):
        if (self.size is None) == (self.preset is None):
            raise OptionError(("size", "preset"), ": give one of them; a preset has its own size")
        if self.size is not None:
            self.model.check_size(self.size, dropout=self.dropout)
        else:
            # A trailing slash makes no other preset.
            object.__setattr__(self, "preset", without_trailing_slash(self.preset))
        self.model.check_start(self.preset)
        for name, choices in _STARTS.items():
            value = getattr(self, name)
            if self.preset is not None and value != choices[0]:
                raise OptionError(name, f"{value}: a preset has its own weights; leave it out")
        if all(getattr(self, name) is None for name in BUDGETS):
            raise OptionError(BUDGETS, ": say how long to train, by one of them")
        objectives = self.batches.objectives
        for name, weight in self.loss_weights.items():
            if name not in objectives:
                raise OptionError(
                    "loss_weights", f"names {name!r}, which is none of {', '.join(objectives)}"
                )
            if not weight > 0:
                raise OptionError("loss_weights", f"must be positive; got {weight} for {name}")
        for name in ("batch_ramp", "length_ramp"):
            ramp = getattr(self, name)
            starts = [start for start, _ in ramp]
            if starts != sorted(set(starts)) or not all(0 <= start < 1 for start in starts):
                raise OptionError(
                    name, f": shares of the run must rise, from 0 to below 1; got {ramp}"
                )
        if self.evaluate_every % self.log_every:
            raise OptionError(
                "evaluate_every",
                f"{self.evaluate_every} is not a multiple of log_every {self.log_every}",
            )
        self.stages()

    def stages(self, num_replicas: int = 1) -> list[Stage]:
        """The parts of the run on so many devices.

        Raises:
            InputError: a batch does not divide over the devices, or into parts that fit them.
        """
        bounds = {0.0, *(start for start, _ in (*self.batch_ramp, *self.length_ramp))}
        bounds = sorted(bounds)
        stages = []
        for number, (start, until) in enumerate(zip(bounds, [*bounds[1:], 1.0], strict=True)):
            try:
                batches = dataclasses.replace(
                    self.batches,
                    batch_size=_reached(self.batch_ramp, start, self.batches.batch_size),
                    sequence_length=_reached(self.length_ramp, start, self.batches.sequence_length),
                )
                parts = self._parts(batches, num_replicas)
            except OptionError as error:
                raise self._of_ramps(error, start) from None
            stages.append(Stage(number, until, batches, parts))
        return stages

    def _of_ramps(self, error, progress):
        """The same error, naming the ramp where the value at this progress is out of one."""
        ramps = {"batch_size": "batch_ramp", "sequence_length": "length_ramp"}
        names = []
        for name in error.names:
            ramp = getattr(self, ramps[name]) if name in ramps else ()
            names.append(ramps[name] if any(start <= progress for start, _ in ramp) else name)
        problem = error.problem
        if tuple(names) != error.names:
            problem = f"at {progress:g}: {problem}"
        return OptionError(tuple(names), problem)

    def _parts(self, batches, num_replicas):
        parts = -(-batches.batch_size // (self.micro_batch_size * num_replicas))
        choices = batches.num_choices if "choice" in batches.objectives else 1
        if batches.batch_size % (num_replicas * parts * choices):
            devices = f"on each of {num_replicas} devices " if num_replicas > 1 else ""
            raise OptionError(
                "batch_size",
                f"{batches.batch_size} does not divide into {parts} parts {devices}of "
                f"at most micro_batch_size {self.micro_batch_size}"
                + (f" with whole groups of {choices} choices" if choices > 1 else ""),
            )
        return parts

    @property
    def largest_batch_size(self) -> int:
        return max(stage.batches.batch_size for stage in self.stages())

    @property
    def longest_sequence(self) -> int:
        return max(stage.batches.sequence_length for stage in self.stages())

    def peak_learning_rate(self, hidden_dim: int) -> float:
        """`learning_rate`, or what goes with the batch size and the width of the model."""
        if self.learning_rate is not None:
            return self.learning_rate
        from keras_roberta.training.optimizer.pretraining import peak_learning_rate

        return peak_learning_rate(self.largest_batch_size, hidden_dim)


def without_trailing_slash(preset: str) -> str:
    """A preset's path as one writes it; the name of one on the hub stays."""
    return preset if preset.startswith("hf://") else os.path.normpath(preset)


def _reached(ramp, progress, value):
    """The value of a ramp at some progress, `value` before its first pair."""
    return next((number for start, number in reversed(ramp) if start <= progress), value)


def recipe(name: str, **changes: Any) -> PretrainingOptions:
    """A known recipe.

        roberta-base    500,000 steps of 8,192 sequences of 512 tokens, 24,000 steps of warm-up
                        (Liu et al., 2019, table 9)
        roberta-large   the same at the size large, with 30,000 steps of warm-up; both have the peak
                        rate of `peak_learning_rate`, not the table's
        one-day         the most of a day on one device: 128 tokens, the rate up for a quarter of
                        the time and down for the rest, peak 1e-3, no dropout, gradients clipped at
                        0.5, a batch that grows to its full size over the first 60% of the time
                        (Geiping & Goldstein, 2022, section 4.3)

    Args:
        name: one of these.
        **changes: fields of `PretrainingOptions` or of the records in it; None leaves one be.
            `steps`, `tokens` or `hours` take the place of the recipe's, a `preset` that of its
            size.
    """
    if name not in RECIPES:
        raise InputError(f"no recipe is named {name!r}; choose from {', '.join(RECIPES)}")
    changes = {field: value for field, value in changes.items() if value is not None}
    values = dict(RECIPES[name])
    if any(name in changes for name in BUDGETS):
        values |= dict.fromkeys(BUDGETS)
    if "preset" in changes:
        values["size"] = None
    values |= changes
    ramps_by_itself = name == "one-day" and "batch_ramp" not in changes
    if ramps_by_itself:
        full = values["batch_size"]
        ramp = ((0.0, full // 4), (0.3, full // 2), (0.6, full))
        values["batch_ramp"] = ramp if full % 4 == 0 else ()
    try:
        return PretrainingOptions.from_flat(values)
    except OptionError as error:
        if ramps_by_itself and error.names == ("batch_ramp",):  # which nobody gave
            problem = f"{values['batch_size']}: in the recipe's ramp {error.problem}"
            raise OptionError("batch_size", problem) from None
        raise


RECIPES = {
    "roberta-base": {"size": "base", "batch_size": 8192, "steps": 500_000},
    "roberta-large": {
        "size": "large",
        "batch_size": 8192,
        "steps": 500_000,
        "warmup": 30_000 / 500_000,
    },
    "one-day": {
        "size": "base",
        "batch_size": 4096,
        "sequence_length": 128,
        "steps": None,
        "hours": 24,
        "learning_rate": 1e-3,
        "warmup": 0.25,
        "dropout": 0.0,
        "clip_norm": 0.5,
        "epsilon": 1e-12,
    },
}
