"""How a model is pre-trained: one validated record, and the recipes known by name."""

import dataclasses
import os

from keras_roberta.config import INITIALIZERS, RobertaConfig
from keras_roberta.data.pretraining.batch_options import BatchOptions
from keras_roberta.errors import InputError
from keras_roberta.jobs.finetune import DTYPES
from keras_roberta.training.optimizer.pretraining import peak_learning_rate
from keras_roberta.training.runs.budget import Budget

REPORTING = ("save_every", "keep_states", "log_every", "evaluate_every", "evaluation_batches")
# What may differ when a run goes on: it decides neither samples nor, but for rounding, weights.
MAY_DIFFER = (*REPORTING, "remat")

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


@dataclasses.dataclass(frozen=True)
class PretrainingOptions:
    """All that decides a pre-training run; the defaults are roberta-base's.

    Attributes:
        size: name of a `RobertaConfig`; None with a preset.
        preset: whose weights to start from, see `RobertaTask.from_preset`; None for random ones.
        initializer: of a new model's weights, see `RobertaConfig`.
        initial_embeddings: "random", or "cooccurrence": a new model's table of tokens starts with
            their `token_vectors` in the shards.
        batches: `BatchOptions`; its batch size counts sequences an optimizer step.
        loss_weights: factor of each objective, 1 where left out.
        steps, hours: see `Budget`.
        micro_batch_size: sequences on a device at once; gradients of several are added up.
        batch_ramp, length_ramp: pairs of progress, in [0, 1), and the batch size or sequence
            length from there on; before the first pair that of `batches` holds.
        learning_rate: the peak; None for `peak_learning_rate` of the largest batch.
        warmup, decay_power: see `BudgetSchedule`.
        weight_decay, epsilon, clip_norm: see `pretraining_optimizer`.
        dropout: of hidden states and attention.
        dtype: "float32", "mixed_bfloat16" or "mixed_float16".
        remat: see `RobertaConfig`.
        seed: of weights, dropout, order and masking.
        save_every, keep_states: steps between states, and how many stay.
        log_every, evaluate_every: steps between rows of the log, and between evaluations, which
            happen with a row.
        evaluation_batches: of each language, at most.

    Raises:
        InputError: names the value that does not fit.
    """

    size: str | None = "base"
    preset: str | None = None
    initializer: str = "normal"
    initial_embeddings: str = "random"
    batches: BatchOptions = BatchOptions(batch_size=8192)
    loss_weights: dict[str, float] = dataclasses.field(default_factory=dict)
    steps: int | None = 500_000
    hours: float | None = None
    micro_batch_size: int = 64
    batch_ramp: tuple[tuple[float, int], ...] = ()
    length_ramp: tuple[tuple[float, int], ...] = ()
    learning_rate: float | None = None
    warmup: float = 24_000 / 500_000
    decay_power: float = 1.0
    weight_decay: float = 0.01
    epsilon: float = 1e-6
    clip_norm: float | None = None
    dropout: float = 0.1
    dtype: str = "float32"
    remat: bool = False
    seed: int = 0
    save_every: int = 1000
    keep_states: int = 2
    log_every: int = 50
    evaluate_every: int = 1000
    evaluation_batches: int = 20

    def __post_init__(self):
        if (self.size is None) == (self.preset is None):
            raise InputError(
                f"size {self.size}, preset {self.preset}: give one of them; a preset has its size"
            )
        if self.size is not None:
            RobertaConfig.named(self.size, dropout=self.dropout)
        else:
            object.__setattr__(self, "preset", os.fspath(self.preset))
        for name, choices in _STARTS.items():
            value = getattr(self, name)
            if value not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
            if self.preset is not None and value != choices[0]:
                raise InputError(f"{name} {value}: a preset has its own weights; leave it out")
        Budget(self.steps, self.hours)
        for name in ("micro_batch_size", *REPORTING):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.dtype not in DTYPES:
            raise InputError(f"dtype must be one of {', '.join(DTYPES)}; got {self.dtype!r}")
        for name in ("batch_ramp", "length_ramp"):
            ramp = tuple(tuple(pair) for pair in getattr(self, name))
            object.__setattr__(self, name, ramp)
            starts = [start for start, _ in ramp]
            if starts != sorted(set(starts)) or not all(0 <= start < 1 for start in starts):
                raise InputError(f"{name}: shares of the run must rise, from 0 to below 1: {ramp}")
        self.stages()

    @property
    def budget(self):
        return Budget(self.steps, self.hours)

    def stages(self, num_replicas=1):
        """The parts of the run on so many devices: a list of `Stage`.

        Raises:
            InputError: a batch does not divide over the devices, or into parts that fit them.
        """
        bounds = {0.0, *(start for start, _ in (*self.batch_ramp, *self.length_ramp))}
        bounds = sorted(bounds)
        stages = []
        for number, (start, until) in enumerate(zip(bounds, [*bounds[1:], 1.0], strict=True)):
            batches = dataclasses.replace(
                self.batches,
                batch_size=_reached(self.batch_ramp, start, self.batches.batch_size),
                sequence_length=_reached(self.length_ramp, start, self.batches.sequence_length),
            )
            stages.append(Stage(number, until, batches, self._parts(batches, num_replicas)))
        return stages

    def _parts(self, batches, num_replicas):
        parts = -(-batches.batch_size // (self.micro_batch_size * num_replicas))
        choices = batches.num_choices if "choice" in batches.objectives else 1
        if batches.batch_size % (num_replicas * parts * choices):
            devices = f"on each of {num_replicas} devices " if num_replicas > 1 else ""
            raise InputError(
                f"batch_size {batches.batch_size} does not divide into {parts} parts {devices}of "
                f"at most micro_batch_size {self.micro_batch_size}"
                + (f" with whole groups of {choices} choices" if choices > 1 else "")
            )
        return parts

    @property
    def largest_batch_size(self):
        return max(stage.batches.batch_size for stage in self.stages())

    @property
    def longest_sequence(self):
        return max(stage.batches.sequence_length for stage in self.stages())

    def peak_learning_rate(self, hidden_dim):
        """`learning_rate`, or what goes with the batch size and the width of the model."""
        if self.learning_rate is not None:
            return self.learning_rate
        return peak_learning_rate(self.largest_batch_size, hidden_dim)

    def to_dict(self):
        """As JSON can hold it."""
        return {**dataclasses.asdict(self), "batches": self.batches.to_dict()}


def _reached(ramp, progress, value):
    """The value of a ramp at some progress, `value` before its first pair."""
    return next((number for start, number in reversed(ramp) if start <= progress), value)


def recipe(name, **changes):
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
        **changes: fields of `PretrainingOptions` or of its `BatchOptions`; None leaves one be.
            `hours` alone takes the place of the recipe's steps, a `preset` that of its size.
    """
    if name not in RECIPES:
        raise InputError(f"no recipe is named {name!r}; choose from {', '.join(RECIPES)}")
    changes = {field: value for field, value in changes.items() if value is not None}
    values = dict(RECIPES[name])
    if "hours" in changes or "steps" in changes:
        values |= {"hours": None, "steps": None}
    if "preset" in changes:
        values["size"] = None
    values |= changes
    if name == "one-day" and "batch_ramp" not in changes:
        full = values["batch_size"]
        ramp = ((0.0, full // 4), (0.3, full // 2), (0.6, full))
        values["batch_ramp"] = ramp if full % 4 == 0 else ()
    of_batches = {field.name for field in dataclasses.fields(BatchOptions)}
    batches = {key: values.pop(key) for key in list(values) if key in of_batches}
    return PretrainingOptions(batches=BatchOptions(**batches), **values)


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
