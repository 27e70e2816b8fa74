"""Which settings are tried, each by a run of its own."""

import dataclasses
import itertools

from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.options import OptionError, Options, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepOptions(Options):
    """Of `keras_roberta.jobs.sweep.finetune_all` and `keras-roberta finetune`."""

    group = "Several runs"

    learning_rates: tuple[float, ...] = option(
        (),
        "Peak rates to try, such as 1e-5,3e-5; the best run on the dev file is kept.",
        above=0,
        shown_default="--learning-rate alone",
    )
    seeds: tuple[int, ...] = option(
        (),
        "Seeds to try with each rate, such as 0,1,2.",
        at_least=0,
        at_most=2**32 - 1,
        shown_default="--seed alone",
    )

    def check(self):
        for name in ("learning_rates", "seeds"):
            values = getattr(self, name)
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise OptionError(name, f": {twice} is named twice")

    @property
    def asked_for(self) -> bool:
        """Whether there are several runs."""
        return bool(self.learning_rates or self.seeds)

    def runs(self, options: FinetuneOptions) -> list[FinetuneOptions]:
        """The options of each run, all seeds of a rate one after another."""
        rates = self.learning_rates or (options.learning_rate,)
        return [
            dataclasses.replace(options, learning_rate=rate, seed=seed)
            for rate, seed in itertools.product(rates, self.seeds or (options.seed,))
        ]
