"""Which columns and rows of tables a job reads."""

import dataclasses

from keras_roberta.data.examples.columns import Columns
from keras_roberta.options import Options, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextColumns(Options):
    """Where the texts are."""

    group = "Tables"

    text_column: str | None = option(
        None,
        "Column of the texts; several, as title,body, are joined by line breaks.",
        shown_default="the one that is not the label",
    )
    text_pair_column: str | None = option(
        None, "Column of the second sentences, for sentence pairs."
    )
    no_header: bool = option(
        False, "The first line of a .tsv or .csv is a row; columns are called 1, 2 and so on."
    )
    limit: int | None = option(None, "Use only the first rows.", at_least=1)

    @property
    def columns(self) -> Columns:
        """The same for `read_texts` and schemas."""
        return Columns(
            text=self.text_column, text_pair=self.text_pair_column, header=not self.no_header
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableColumns(TextColumns):
    """Where the texts and the labels are."""

    group = "Tables"

    label_column: str | None = option(
        None, "Column of the labels: numbers or names.", shown_default="label"
    )
    labels: tuple[str, ...] = option(
        (),
        "Names of labels that are numbers, in the order of the numbers, such as O,B-PER,I-PER.",
        shown_default="as found",
    )

    @property
    def columns(self) -> Columns:
        return dataclasses.replace(
            super().columns, label=self.label_column, label_names=self.labels or None
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingColumns(TableColumns):
    """The same in a training and a dev file."""

    group = "Tables"

    limit: int | None = option(None, "Use only the first rows of each file.", at_least=1)
    dev_text_column: str | None = option(
        None, "Column of the dev file's texts, if it has another name there."
    )
    dev_text_pair_column: str | None = option(
        None, "Column of the dev file's second sentences, if it has another name."
    )
    dev_label_column: str | None = option(
        None, "Column of the dev file's labels, if it has another name."
    )

    @property
    def columns(self) -> Columns:
        return dataclasses.replace(
            super().columns,
            dev_text=self.dev_text_column,
            dev_text_pair=self.dev_text_pair_column,
            dev_label=self.dev_label_column,
        )
