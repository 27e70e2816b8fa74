"""Where a tensor lies in a file, and reading it into memory once."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from typing import Any

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of

MOST_AXES = 32  # of a tensor
ALIGNMENT = 64  # bytes; TensorFlow takes an array for a tensor without a copy if it begins there
_PART = 1 << 20  # elements that are converted at a time


@dataclasses.dataclass(frozen=True)
class TensorView:
    """Where a tensor lies in a file, and `read` to fetch it.

    Attributes:
        path, start: the file, and the byte in it where the tensor's first element lies.
        dtype, shape: as stored.
        strides: in elements; None for rows one after the other.
        name: for the error message.
    """

    path: pathlib.Path
    start: int
    dtype: np.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None
    name: str = "a tensor"

    @property
    def num_bytes(self) -> int:
        """What its elements take."""
        return math.prod(self.shape) * self.dtype.itemsize

    def rows(self, first: int, count: int, name: str) -> TensorView:
        """Some of its rows under a name of their own."""
        strides = row_strides(self.shape) if self.strides is None else self.strides
        start = self.start + first * strides[0] * self.dtype.itemsize
        shape = (count, *self.shape[1:])
        return dataclasses.replace(self, start=start, shape=shape, name=name)

    def read(self, dtype: np.dtype | None = None) -> np.ndarray:
        """The tensor as an array of its own, in rows; only its bytes are read.

        Args:
            dtype: what its elements become; None for what is stored. A part is converted at a time,
                so that a large tensor is never there in both. Numbers that are too large for it
                become infinite.
        """
        strides = row_strides(self.shape) if self.strides is None else self.strides
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        try:
            with np.errstate(over="ignore"):
                return self._read(strides, dtype)
        except InputError:
            raise
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({reason_of(error)})") from None
        except (OverflowError, ValueError):
            raise InputError(f"{self.path}: {self.name} has an impossible shape") from None

    def _read(self, strides: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        if strides == row_strides(self.shape):
            return self._read_flat(math.prod(self.shape), dtype).reshape(self.shape)
        flat = self._read_flat(span(self.shape, strides), self.dtype)
        in_bytes = [stride * self.dtype.itemsize for stride in strides]
        view = np.lib.stride_tricks.as_strided(flat, self.shape, in_bytes)
        return view.astype(dtype, order="C", copy=True)

    def _read_flat(self, size: int, dtype: np.dtype) -> np.ndarray:
        array = aligned_empty(size, dtype)
        with open(self.path, "rb") as file:
            file.seek(self.start)
            for first in range(0, size, _PART):
                wanted = min(_PART, size - first)
                part = np.fromfile(file, self.dtype, wanted)
                if part.size != wanted:
                    raise InputError(
                        f"{self.path}: cut short within {self.name}; download it again"
                    )
                array[first : first + wanted] = part
        return array


def row_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in elements, of an array in rows.

    >>> row_strides((2, 3, 4))
    (12, 4, 1)
    """
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def span(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """How many elements lie from a tensor's first to its last, both counted."""
    if 0 in shape:
        return 0
    return 1 + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))


class _Memory(np.ndarray):
    """The bytes below an array of `aligned_empty`, which tell it from arrays of others."""

    given_away = False


def aligned_empty(size: int, dtype: np.dtype) -> np.ndarray:
    """A flat array without values that TensorFlow takes for a tensor without a copy."""
    memory = np.empty(size * dtype.itemsize + ALIGNMENT, np.uint8).view(_Memory)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size * dtype.itemsize].view(np.ndarray).view(dtype)


def gives_away_memory(array: np.ndarray) -> bool:
    """Whether a whole array of `aligned_empty` may become a tensor; at most once for each.

    Arrays of others may be written to later, or be a file that is mapped into memory.
    """
    memory: Any = array
    while memory is not None and not isinstance(memory, _Memory):
        memory = getattr(memory, "base", None)
    if memory is None or memory.given_away or array.nbytes != memory.nbytes:
        return False
    memory.given_away = True
    return True
