"""Texts and labels out of a table, under the names that the user gave."""

import dataclasses

from keras_roberta.data.examples.label_names import as_integer, checked_names
from keras_roberta.data.examples.named_columns import LABELS, TEXT, TEXT_PAIR
from keras_roberta.data.examples.table_files import Table
from keras_roberta.errors import InputError


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which columns of the tables to read.

    Attributes:
        text: the texts; several columns with commas between them, which are joined by line breaks;
            None for `text`, with `text_pair` where there is one, or for the only
            column that is not the label.
        text_pair: the second sentences, or None.
        label: the labels; None for the usual name, see `Schema.label_columns`.
        dev_text, dev_text_pair, dev_label: the same in the dev file, where it names them otherwise.
        label_names: what labels that are numbers mean, in the order of the numbers; or None.
        header: whether the first line of a TSV or CSV names the columns; else "1", "2" and so on
            do.
    """

    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    dev_text: str | None = None
    dev_text_pair: str | None = None
    dev_label: str | None = None
    label_names: tuple[str, ...] | None = None
    header: bool = True

    def __post_init__(self):
        object.__setattr__(self, "label_names", checked_names(self.label_names, None))

    def label_name(self, label):
        """The name of a label that is a number; others as they are, as are all where numbers are
        names.

        >>> [Columns(label_names=("no", "yes")).label_name(label) for label in ("1", 0, "no", 2)]
        ['yes', 'no', 'no', 2]
        """
        names, number = self.label_names, as_integer(label)
        if number is None or any(as_integer(name) is not None for name in names):
            return label
        return names[number] if 0 <= number < len(names) else label

    @property
    def of_dev(self):
        """The columns of the dev file. One that is found without a name is found there too."""
        return dataclasses.replace(
            self,
            text=self.dev_text or self.text,
            text_pair=self.dev_text_pair or self.text_pair,
            label=self.dev_label or self.label,
        )


def read_texts(table: Table, columns: Columns, prefix="--", *, option: str | None = None):
    """The texts of a table as the task takes them: a list, or a pair of lists.

    Args:
        prefix: "--" or "--dev-", for the option's name in messages.
        option: the option that names the column, where it is not called `text-column`.
    """
    option = option or f"{prefix}text-column"
    name, pair = columns.text, columns.text_pair
    if name is None:
        others = [n for n in table.columns if n not in (columns.label or LABELS[0], pair)]
        if TEXT in others:
            name = TEXT
            pair = TEXT_PAIR if pair is None and TEXT_PAIR in others else pair
        elif len(others) == 1:
            (name,) = others
        else:
            raise InputError(
                f"{table.path}: which column holds the texts? say {option} (one of {table.names})"
            )
    texts = texts_of_columns(table, name, option)
    if pair is None:
        return texts
    return texts, texts_of_columns(table, pair, f"{prefix}text-pair-column")


def column_names(table: Table, name: str) -> list[str]:
    """The columns that a name stands for: "title,body" is two, unless a column is called that."""
    if name in table.columns:
        return [name]
    return [part.strip() for part in name.split(",")]


def texts_of_columns(table: Table, name: str, option: str) -> list[str]:
    """A column of texts; of several, as "title,body", what is not empty, joined by line breaks.

    Args:
        option: the option that names it, for messages.
    """
    names = column_names(table, name)
    if len(names) == 1:
        return table.texts(name, option)
    columns = [table.texts(part, option) for part in names]
    return ["\n".join(filter(None, row)) for row in zip(*columns, strict=True)]
