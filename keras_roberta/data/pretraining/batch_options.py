"""What the batches of a pre-training run are made of."""

import dataclasses

from keras_roberta.data.language_alpha import LANGUAGE_ALPHA
from keras_roberta.data.pretraining.packing import PACKINGS, PAIRS
from keras_roberta.options import OptionError, Options, option

OBJECTIVES = ("mlm", "sop", "nsp", "choice", "tokens")
MASK_UNITS = ("token", "whole-word", "span")
_OF_PAIRS = ("sop", "nsp", "choice")


@dataclasses.dataclass(frozen=True)
class BatchOptions(Options):
    """How shards become batches; `RobertaPretrainer` and a run's record need the same.

    `objectives` are one or more of

        mlm      masked language modelling
        sop      sentence order prediction (Lan et al. 2020, section 3.1)
        nsp      next sentence prediction (Devlin et al. 2019, section 3.1)
        choice   which of some endings belongs to a beginning
        tokens   a class for each token; see `Shards.token_labels`

    Packings are described in `packing.py`, rates and units of masking at `masking.mask_tokens`,
    `language_alpha` by Conneau et al. (2020, section 3.1), where it is 0.3: 1 draws languages as
    they come, 0 all alike.

    >>> options = BatchOptions(("mlm", "sop"), batch_size=8)
    >>> options.packing, BatchOptions(**options.to_dict()) == options
    ('segment-pair', True)
    """

    group = "Batches"

    objectives: tuple[str, ...] = option(
        ("mlm",), f"One or more of {', '.join(OBJECTIVES)}, with commas."
    )
    batch_size: int = option(32, "Sequences a step.", at_least=1)
    sequence_length: int = option(512, "Tokens a sequence, specials among them.", at_least=8)
    packing: str | None = option(
        None,
        "What makes a sequence.",
        choices=PACKINGS,
        shown_default="segment-pair where an objective is about pairs, else full-sentences",
    )
    mask_rate: float = option(0.15, "Share of the tokens to mask.", at_least=0, at_most=1)
    mask_token_rate: float = option(
        0.8, "Share of these that <mask> takes the place of.", at_least=0, at_most=1
    )
    random_token_rate: float = option(
        0.1, "Share of these that a random token takes the place of.", at_least=0, at_most=1
    )
    mask_units: str = option(
        "token",
        "What is masked as a whole: single tokens, words or spans.",
        choices=MASK_UNITS,
    )
    static_masking: bool = option(False, "Mask a row alike each time.")
    language_alpha: float = option(
        LANGUAGE_ALPHA, "Languages are drawn by their tokens to this power.", at_least=0, at_most=1
    )
    num_choices: int = option(4, "Endings a beginning, for choice; each has a row.", at_least=1)

    def check(self):
        names = self.objectives
        of_pairs = [name for name in names if name in _OF_PAIRS]
        if self.packing is None:
            packing = "segment-pair" if of_pairs else "full-sentences"
            object.__setattr__(self, "packing", packing)
        unknown = [name for name in names if name not in OBJECTIVES]
        if unknown or not names or len(set(names)) < len(names):
            raise OptionError(
                "objectives",
                f"{','.join(names) or '(none)'}: give one or more of {', '.join(OBJECTIVES)}, "
                "each once",
            )
        if of_pairs and self.packing not in PAIRS:
            raise OptionError(
                "objectives",
                f"{of_pairs[0]} is about pairs of sentences, and packing {self.packing} "
                f"makes none; choose {' or '.join(PAIRS)}",
            )
        if "choice" in of_pairs and len(of_pairs) > 1:
            raise OptionError(
                "objectives",
                f"choice and {(set(of_pairs) - {'choice'}).pop()} need different second "
                "sentences; choose one of them",
            )
        if "choice" in names and self.num_choices < 2:
            raise OptionError(
                "num_choices", f"must be a whole number from 2; got {self.num_choices}"
            )
        if "choice" in names and self.batch_size % self.num_choices:
            raise OptionError(
                "batch_size",
                f"{self.batch_size} does not divide into groups of num_choices {self.num_choices}",
            )
        if "mlm" in names and not self.mask_rate:
            raise OptionError("mask_rate", "0 leaves the objective mlm nothing to learn from")
        if self.mask_token_rate + self.random_token_rate > 1 + 1e-9:
            raise OptionError(
                "mask_token_rate",
                f"{self.mask_token_rate} and random_token_rate {self.random_token_rate} sum up to "
                "more than 1",
            )
