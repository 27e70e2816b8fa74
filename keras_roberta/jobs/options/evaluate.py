"""What a model is measured on, and what it answers."""

import dataclasses
from pathlib import Path

from keras_roberta.jobs.options.tables import TableColumns, TextColumns
from keras_roberta.options import OptionError, Options, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunningOptions(Options):
    """How a model runs, whatever it is kept in."""

    tokenizer: str | None = option(
        None, "Preset that a model on token ids came from, for its tokenizer."
    )
    threads: int = option(1, "For TFLite.", at_least=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateOptions(RunningOptions, TableColumns):
    """Of `keras_roberta.jobs.evaluate.evaluate` and `keras-roberta evaluate`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictOptions(RunningOptions, TextColumns):
    """Of `keras_roberta.jobs.evaluate.predict` and `keras-roberta predict`."""

    def check_source(self, data: str | Path | None) -> None:
        """Raises where columns are named and there is no table."""
        for name in ("text_column", "text_pair_column"):
            if data is None and getattr(self, name) is not None:
                raise OptionError(name, "names a column of a table; give the table as data")
