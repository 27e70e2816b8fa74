"""What the batches of a pre-training run are made of."""

import dataclasses

from keras_roberta.data.pretraining.packing import PACKINGS, PAIRS
from keras_roberta.errors import InputError

OBJECTIVES = ("mlm", "sop", "nsp", "choice", "tokens")
MASK_UNITS = ("token", "whole-word", "span")
_OF_PAIRS = ("sop", "nsp", "choice")


@dataclasses.dataclass(frozen=True)
class BatchOptions:
    """How shards become batches; `RobertaPretrainer` and a run's record need the same.

    Attributes:
        objectives: one or more of "mlm" (masked language modelling), "sop" (sentence order
            prediction: Lan et al. 2020, section 3.1), "nsp" (next sentence prediction: Devlin et
            al. 2019, section 3.1), "choice" (which of some endings belongs to a beginning),
            "tokens" (a class for each token; see `Shards.token_labels`).
        batch_size: rows.
        sequence_length: tokens a row, specials among them.
        packing: see `packing.py`; by default "segment-pair" where an objective is about pairs,
            else "full-sentences".
        mask_rate, mask_token_rate, random_token_rate, mask_units: see `masking.mask_tokens`.
        static_masking: whether a row is masked alike in every epoch.
        language_alpha: languages are drawn by their tokens to this power (Conneau et al. 2020,
            section 3.1, where it is 0.3): 1 is as they come, 0 all alike.
        num_choices: endings a beginning, each in a row of its own.

    Raises:
        InputError: a value is out of range, or the values do not go together.

    >>> options = BatchOptions(("mlm", "sop"), batch_size=8)
    >>> options.packing, BatchOptions(**options.to_dict()) == options
    ('segment-pair', True)
    """

    objectives: tuple[str, ...] = ("mlm",)
    batch_size: int = 32
    sequence_length: int = 512
    packing: str | None = None
    mask_rate: float = 0.15
    mask_token_rate: float = 0.8
    random_token_rate: float = 0.1
    mask_units: str = "token"
    static_masking: bool = False
    language_alpha: float = 0.7
    num_choices: int = 4

    def __post_init__(self):
        names = self.objectives
        names = tuple(names.split(",")) if isinstance(names, str) else tuple(names)
        object.__setattr__(self, "objectives", names)
        of_pairs = [name for name in names if name in _OF_PAIRS]
        if self.packing is None:
            packing = "segment-pair" if of_pairs else "full-sentences"
            object.__setattr__(self, "packing", packing)
        unknown = [name for name in names if name not in OBJECTIVES]
        if unknown or not names or len(set(names)) < len(names):
            raise InputError(
                f"objectives {','.join(map(str, names)) or '(none)'}: give one or more of "
                f"{', '.join(OBJECTIVES)}, each once"
            )
        _one_of("packing", self.packing, PACKINGS)
        _one_of("mask_units", self.mask_units, MASK_UNITS)
        if of_pairs and self.packing not in PAIRS:
            raise InputError(
                f"objective {of_pairs[0]} is about pairs of sentences, and packing {self.packing} "
                f"makes none; choose {' or '.join(PAIRS)}"
            )
        if "choice" in of_pairs and len(of_pairs) > 1:
            raise InputError(
                f"objectives choice and {(set(of_pairs) - {'choice'}).pop()} need different second "
                "sentences; choose one of them"
            )
        _at_least("batch_size", self.batch_size, 1)
        _at_least("sequence_length", self.sequence_length, 8)
        if "choice" in names:
            _at_least("num_choices", self.num_choices, 2)
            if self.batch_size % self.num_choices:
                raise InputError(
                    f"batch_size {self.batch_size} does not divide into groups of num_choices "
                    f"{self.num_choices}"
                )
        for name in ("mask_rate", "mask_token_rate", "random_token_rate", "language_alpha"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 <= value <= 1:
                raise InputError(f"{name} must be between 0 and 1; got {value!r}")
        if "mlm" in names and not self.mask_rate:
            raise InputError("mask_rate 0 leaves the objective mlm nothing to learn from")
        if self.mask_token_rate + self.random_token_rate > 1 + 1e-9:
            raise InputError(
                f"mask_token_rate {self.mask_token_rate} and random_token_rate "
                f"{self.random_token_rate} sum up to more than 1"
            )

    def to_dict(self):
        """As JSON can hold it; `BatchOptions(**values)` reads it back."""
        return {**dataclasses.asdict(self), "objectives": list(self.objectives)}


def _one_of(name, value, allowed):
    if value not in allowed:
        raise InputError(f"{name} {value!r}: expected one of {', '.join(allowed)}")


def _at_least(name, value, smallest):
    if not isinstance(value, int) or value < smallest:
        raise InputError(f"{name} must be a whole number from {smallest}; got {value!r}")
