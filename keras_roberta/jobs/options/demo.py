"""What the demo is shown on."""

import dataclasses

from keras_roberta.data.examples.columns import Columns
from keras_roberta.options import OptionError, Options, option

_GROUP = "Your own checkpoint and data"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoOptions(Options):
    """Of `keras-roberta demo`."""

    seed: int = option(0, "Seeds everything.")
    preset: str | None = option(
        None, "Start from this checkpoint; goes with --train, --dev.", group=_GROUP
    )
    train: str | None = option(None, "Training data: .tsv, .csv or .jsonl.", group=_GROUP)
    dev: str | None = option(None, "Held-out data.", group=_GROUP)
    text_column: str | None = option(
        None, "Column of the texts.", shown_default="the one that is not the label", group=_GROUP
    )
    label_column: str = option("label", "Column of the labels.", group=_GROUP)
    dev_text_column: str | None = option(
        None, "The dev file's name for it, if another.", group=_GROUP
    )
    epochs: int | None = option(
        None, "Times to go over --train.", at_least=1, shown_default="1", group=_GROUP
    )
    limit: int | None = option(
        None, "Use only the first rows of each file.", at_least=1, group=_GROUP
    )

    def check(self):
        together = ("preset", "train", "dev")
        missing = [name for name in together if getattr(self, name) is None]
        if missing and len(missing) < len(together):
            others = ", ".join(f"--{name}" for name in missing)
            given = tuple(name for name in together if name not in missing)
            raise OptionError(given, f": give {others} too; the three go together")
        given = [name for name in ("epochs", "limit") if getattr(self, name) is not None]
        if missing and given:
            raise OptionError(given[0], "goes with --preset, --train and --dev")

    @property
    def on_tables(self) -> bool:
        """Whether on a checkpoint and tables of the user's."""
        return self.preset is not None

    @property
    def columns(self) -> Columns:
        """Where texts and labels are."""
        return Columns(
            text=self.text_column, label=self.label_column, dev_text=self.dev_text_column
        )
