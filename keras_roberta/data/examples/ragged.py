"""Rows of unequal lengths in one array."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from keras_roberta.errors import InputError


@dataclasses.dataclass(frozen=True)
class Ragged:
    """The rows one after the other, and how long each is.

    Attributes:
        values: (total, ...)
        lengths: int64 (rows,)

    >>> ragged = Ragged.of([[1, 2], [], [3]])
    >>> ragged.values, ragged.lengths
    (array([1, 2, 3]), array([2, 0, 1]))
    >>> ragged.take([2, 0]).padded(3, fill=9)
    array([[3, 9, 9],
           [1, 2, 9]])
    """

    values: np.ndarray
    lengths: np.ndarray

    def __post_init__(self):
        lengths = np.asarray(self.lengths, np.int64)
        object.__setattr__(self, "lengths", lengths)
        if int(lengths.sum()) != len(self.values):
            raise InputError(
                f"rows of {int(lengths.sum())} values in all, but there are {len(self.values)}"
            )
        object.__setattr__(self, "_starts", np.concatenate([[0], np.cumsum(lengths)]))

    @classmethod
    def of(cls, rows: Iterable[Sequence], dtype=None) -> Ragged:
        """From a list of sequences."""
        rows = [np.asarray(row, dtype) for row in rows]
        lengths = np.array([len(row) for row in rows], np.int64)
        full = [row for row in rows if len(row)]
        return cls(np.concatenate(full) if full else np.zeros(0, dtype or np.int64), lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def row(self, number: int) -> np.ndarray:
        """The values of one row."""
        return self.values[self._starts[number] : self._starts[number + 1]]

    def take(self, rows) -> Ragged:
        """Some rows, in the order of their numbers."""
        rows = np.asarray(rows, np.int64)
        parts = [self.row(row) for row in rows]
        return Ragged(np.concatenate(parts) if parts else self.values[:0], self.lengths[rows])

    def padded(self, length: int, fill=0) -> np.ndarray:
        """One array (rows, length, ...) with `fill` behind shorter rows."""
        mask = np.arange(length) < self.lengths[:, None]  # (rows, length)
        array = np.full((*mask.shape, *self.values.shape[1:]), fill, self.values.dtype)
        array[mask] = self.values
        return array
