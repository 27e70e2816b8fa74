"""What the demo is shown on."""

import dataclasses

from keras_roberta.jobs.options.tables import TrainingColumns
from keras_roberta.options import OptionError, Options, nested, option

_GROUP = "Your own checkpoint and data"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoOptions(Options):
    """Of `keras_roberta.demo.demo` and `keras-roberta demo`."""

    seed: int = option(0, "Seeds everything.", at_least=0, at_most=2**32 - 1)
    preset: str | None = option(
        None,
        "Start from this checkpoint; goes with --train, --dev.",
        group=_GROUP,
        is_path=True,
    )
    train: str | None = option(
        None, "Training data: .tsv, .csv or .jsonl.", group=_GROUP, is_path=True
    )
    dev: str | None = option(None, "Held-out data.", group=_GROUP, is_path=True)
    tables: TrainingColumns = nested(TrainingColumns)
    epochs: int | None = option(
        None, "Times to go over --train.", at_least=1, shown_default="1", group=_GROUP
    )

    def check(self):
        together = ("preset", "train", "dev")
        missing = [name for name in together if getattr(self, name) is None]
        if missing and len(missing) < len(together):
            raise OptionError(together, ": the three go together; give all of them, or none")
        given = [*(["epochs"] if self.epochs is not None else []), *self.tables.changed()]
        if missing and given:
            raise OptionError(
                given[0], "is for a checkpoint and tables of your own; give preset, train and dev"
            )

    @property
    def on_tables(self) -> bool:
        """Whether on a checkpoint and tables of the user's."""
        return self.preset is not None
