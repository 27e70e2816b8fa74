"""Tokenised examples: rows of token ids, what belongs to each token, and which rows make one
example."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_roberta.data.examples.ragged import Ragged
from keras_roberta.errors import InputError

Column = np.ndarray | Ragged


@dataclasses.dataclass
class Examples:
    """What a task makes of its inputs and labels, ready to be cut into batches.

    A column has one value a row, or in a `Ragged` one a token, such as a label for each word
    piece; it is padded like the token ids, with zeros.

    An example may have several rows. Windows of a long text go to batches row by row
    (`keep_rows_together=False`); the options of a question stay together, so that the model sees
    all of them at once: a batch then counts examples, its features have an axis more, (examples,
    rows, length), and an example with fewer rows than others of its batch is filled up with rows of
    padding alone. A batch item is what batches count: a row, or an example whose rows stay
    together.

    Attributes:
        preprocessor: pads token ids; see `RobertaPreprocessor.pad`.
        token_ids: int32, one `Ragged` row a row of the model's input.
        features: further inputs of the model, by name.
        targets, sample_weight: for the loss: a column, or None; of rows that stay together one
            value an example. Weights go with targets.
        rows_per_example: int64 (examples,), at least 1 each; None for one row an example.
        keep_rows_together: whether the rows of an example share a batch.
    """

    preprocessor: object
    token_ids: Ragged
    features: dict[str, Column] = dataclasses.field(default_factory=dict)
    targets: Column | None = None
    sample_weight: Column | None = None
    rows_per_example: np.ndarray | None = None
    keep_rows_together: bool = False

    def __post_init__(self):
        rows = len(self.token_ids)
        if not rows:
            raise InputError("there are no texts")
        if self.rows_per_example is None:
            self.rows_per_example = np.ones(rows, np.int64)
        self.rows_per_example = np.asarray(self.rows_per_example, np.int64)
        if self.rows_per_example.min() < 1 or self.rows_per_example.sum() != rows:
            raise InputError(
                f"rows_per_example: {int(self.rows_per_example.sum())} rows in all, but there are "
                f"{rows}; give each example at least one"
            )
        self._first_row = np.concatenate([[0], np.cumsum(self.rows_per_example)])
        for column in self.features.values():
            _check_length(column, rows, "rows of a feature")
        labels = len(self.rows_per_example) if self.keep_rows_together else rows
        for column in (self.targets, self.sample_weight):
            if column is not None:
                _check_length(column, labels, "labels or weights")

    @property
    def num_units(self) -> int:
        """How many batch items there are: examples whose rows stay together, else rows."""
        return len(self.rows_per_example) if self.keep_rows_together else len(self.token_ids)

    def example_numbers(self, units: np.ndarray) -> np.ndarray:
        """The number of the example that each of some batch items is of: int64."""
        if self.keep_rows_together:
            return np.asarray(units, np.int64)
        return np.searchsorted(self._first_row, units, side="right") - 1

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of the longest row of each batch item: int64 (batch items,)."""
        lengths = self.token_ids.lengths
        if self.keep_rows_together:
            lengths = np.maximum.reduceat(lengths, self._first_row[:-1])
        return lengths

    def batch(self, units, *, bucket_lengths: bool = True):
        """The batch items of these numbers, padded.

        Args:
            units: the batch items' integers, in any order.
            bucket_lengths: see `RobertaPreprocessor.pad`.

        Returns:
            features, (features, targets) or (features, targets, sample_weight), where features
            are a dict of `token_ids`, `padding_mask`, int32 (rows, length), and the others; of
            rows that stay together (examples, rows, length).
        """
        units = np.asarray(units, np.int64)
        rows, real = self._rows_of(units)
        ids = self.token_ids.take(rows)
        if not real.all():
            ids = Ragged.of(  # no token, in place of a row that is not there
                [ids.row(i) if is_real else () for i, is_real in enumerate(real)], ids.values.dtype
            )
        features = self.preprocessor.pad(ids.values, ids.lengths, bucket_lengths)
        length = features["token_ids"].shape[1]
        for name, column in self.features.items():
            taken = _taken(column, rows, length)
            taken[~real] = 0
            features[name] = taken
        if self.keep_rows_together:
            features = {
                name: array.reshape(len(units), -1, *array.shape[1:])
                for name, array in features.items()
            }
        labels = units if self.keep_rows_together else rows
        if self.targets is None:
            return features
        columns = [c for c in (self.targets, self.sample_weight) if c is not None]
        return (features, *(_taken(column, labels, length) for column in columns))

    def weighed(self, factors: np.ndarray) -> Examples:
        """The same examples, whose weights are multiplied by the factors of their classes.

        Args:
            factors: (classes,); for probabilities as targets their mean counts.
        """
        weights = self.targets @ factors if self.targets.ndim == 2 else factors[self.targets]
        if self.sample_weight is not None:
            weights = weights * self.sample_weight
        return dataclasses.replace(self, sample_weight=weights)

    def by_example(self, rows: list) -> list[list]:
        """Outputs of all rows, in their order, as one list for each example."""
        return [
            rows[first:last]
            for first, last in zip(self._first_row[:-1], self._first_row[1:], strict=True)
        ]

    def _rows_of(self, units):
        """Row numbers of batch items, and which of them are real rows: each int64, bool (rows,)."""
        if not self.keep_rows_together:
            return units, np.ones(len(units), bool)
        counts = self.rows_per_example[units]
        place = np.arange(counts.max(initial=1))
        real = place < counts[:, None]  # (examples, most rows)
        rows = self._first_row[units][:, None] + np.where(real, place, 0)
        return rows.reshape(-1), real.reshape(-1)


def checked_weights(weights) -> np.ndarray:
    """Sample weights as float32 (rows,).

    Raises:
        InputError: names the row that is no finite number.
    """
    try:
        array = np.asarray(weights, "float32")
    except (TypeError, ValueError):
        raise InputError("sample_weight: give one number for each text") from None
    if array.ndim == 2 and array.shape[1] == 1:  # a column of a matrix
        array = array[:, 0]
    for row in np.flatnonzero(~np.isfinite(array)):
        raise InputError(
            f"sample_weight: expected a finite number, found {array[row]} in row {row}"
        )
    return array.reshape(-1) if array.ndim == 0 else array


def _taken(column: Column, rows, length: int) -> np.ndarray:
    if not isinstance(column, Ragged):
        return np.asarray(column)[rows]
    return column.take(rows).padded(length)


def _check_length(column: Column, expected: int, what: str):
    if len(column) != expected:
        raise InputError(f"{expected} texts, but {len(column)} {what}")
