"""Texts that come bit by bit: tf.data, generators, `keras.utils.PyDataset`, data loaders."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np

from keras_roberta.data.examples.label_names import is_ragged, is_ragged_spec
from keras_roberta.data.examples.named_columns import named_columns
from keras_roberta.data.examples.text_forms import holds_string_specs, holds_strings, leaves
from keras_roberta.errors import InputError

_IN_MEMORY = (str, bytes, list, tuple, Mapping, Set, np.ndarray)


def is_stream(x: Any) -> bool:
    """Whether `x` gives its examples bit by bit, instead of holding them."""
    if hasattr(x, "element_spec") or hasattr(x, "num_batches"):  # tf.data, PyDataset
        return True
    if isinstance(x, _IN_MEMORY) or hasattr(x, "shape") or named_columns(x) is not None:
        return False
    # A column of a table gives its values as a list.
    return hasattr(x, "__iter__") and not any(hasattr(x, m) for m in ("to_list", "to_pylist"))


class DatasetStream:
    """A `tf.data.Dataset` of texts, batched or not.

    Attributes:
        batch_size: rows, or None where batches do not tell.
        steps: batches in all, or None where that is not known.
        read_once: whether there is a single pass over it.
        joins: whether batches are trees of arrays, of which several can be joined.
    """

    read_once = False
    joins = True

    def __init__(self, dataset, batch_size: int):
        from keras_roberta.data.autotuning import without_autotuning  # tf.data

        specs = leaves(dataset.element_spec)
        if any(spec.shape.rank == 0 for spec in specs):
            # Labels may be lists of unequal lengths.
            of_any_length = any(spec.shape.rank and None in spec.shape for spec in specs)
            cut = dataset.ragged_batch if of_any_length else dataset.batch
            dataset = cut(batch_size)
        else:
            batch_size = specs[0].shape[0]
        self.batch_size = batch_size
        self._dataset = without_autotuning(dataset)
        self._has_ragged = any(map(is_ragged_spec, leaves(dataset.element_spec)))
        cardinality = int(dataset.cardinality())
        self.steps = cardinality if cardinality > 0 else None

    def __iter__(self) -> Iterator[Any]:
        return self._arrays_of(self._dataset)

    def first(self):
        """The first batch, or None."""
        return next(self._arrays_of(self._dataset.take(1)), None)

    def _arrays_of(self, dataset):
        if self._has_ragged:
            return map(_as_arrays, dataset)
        return dataset.as_numpy_iterator()


class PythonStream:
    """A generator, a `keras.utils.PyDataset` or another iterable of rows or of batches.

    An element is, as in Keras, inputs or a tuple of inputs, labels and weights; data loaders give
    lists for tuples. Inputs that are one string, one pair or one dict of values are a row.

    Attributes: see `DatasetStream`.
    """

    joins = False

    def __init__(self, x, batch_size: int, *, seed: int | None = None):
        self.read_once = isinstance(x, Iterator)
        self._x, self._random = x, None if seed is None else np.random.default_rng(seed)
        self._is_indexed = hasattr(x, "num_batches")  # a PyDataset
        element = x[0] if self._is_indexed else next(iter(x), None)
        # Elements that were read ahead.
        self._begun = [element] if self.read_once and element is not None else []
        self.holds_texts = element is None or holds_strings(element)
        if not self.holds_texts and not isinstance(element, (tuple, list)):
            raise InputError(
                f"expected a stream of texts, or of tuples (texts, labels); found {element!r:.80}"
            )
        self._by_row = element is not None and _is_row(_as_tuple(element)[0])
        self.batch_size = batch_size if self._by_row else None
        length = x.num_batches if self._is_indexed else _length(x)
        self.steps = length and (-(-length // batch_size) if self._by_row else length)

    def __iter__(self) -> Iterator[Any]:
        elements = map(_as_tuple, itertools.chain(self._take_begun(), self._elements()))
        if not self._by_row:
            yield from elements
            return
        rows_before = 0
        while rows := list(itertools.islice(elements, self.batch_size)):
            yield _columns(rows, rows_before)
            rows_before += len(rows)

    def first(self):
        """The first batch, or None."""
        if self._is_indexed:
            return _as_tuple(self._x[0])
        if not self.read_once:
            return next(iter(self), None)
        # A copy: what was read stays the beginning.
        self._begun += itertools.islice(self._x, (self.batch_size or 1) - len(self._begun))
        rows = [_as_tuple(row) for row in self._begun]
        if not self._by_row:
            return rows[0] if rows else None
        return _columns(rows, 0)

    def restored(self):
        """The iterable as it was given, the elements read ahead in front again."""
        if not self.read_once:
            return self._x
        return (element for element in itertools.chain(self._take_begun(), self._x))

    def collected(self, steps: int | None = None) -> PythonStream:
        """The same, to be read as often as one likes; cut to `steps` batches."""
        if not self.read_once:
            return self
        steps = steps and steps * (self.batch_size or 1)
        elements = itertools.islice(itertools.chain(self._take_begun(), self._x), steps)
        return PythonStream(_Elements(elements), self.batch_size or 1)

    def _take_begun(self):
        begun, self._begun = self._begun, []
        return begun

    def _elements(self):
        if not self._is_indexed:
            yield from self._x
            return
        numbers = itertools.count() if self.steps is None else range(self.steps)
        if self._random is not None and self.steps is not None:
            numbers = self._random.permutation(self.steps).tolist()
        self._x.on_epoch_begin()
        for number in numbers:
            yield self._x[number]
        self._x.on_epoch_end()


class _Elements:
    """Elements of an iterator, kept."""

    def __init__(self, elements):
        self._elements = list(elements)

    def __iter__(self):
        return iter(self._elements)

    def __len__(self):
        return len(self._elements)


def open_stream(x: Any, batch_size: int, *, seed: int | None = None):
    """A stream of texts, or what else `x` is, as it was.

    Args:
        x: see `is_stream`.
        batch_size: for elements that come one by one.
        seed: of the order of a PyDataset's batches; None to keep it.

    Returns:
        `DatasetStream`, `PythonStream`, or `x` where it brings no strings.

    Raises:
        InputError: it gives nothing at all.
    """
    if hasattr(x, "element_spec"):
        spec = x.element_spec
        inputs = spec[0] if isinstance(spec, tuple) else spec
        return DatasetStream(x, batch_size) if holds_string_specs(inputs) else x
    stream = PythonStream(x, batch_size, seed=seed)
    return stream if stream.holds_texts else stream.restored()


def _length(x):
    try:
        return len(x)
    except TypeError:
        return None


def _as_tuple(element):
    """Inputs, labels, weights; as many of them as there are."""
    if isinstance(element, tuple):
        return element
    if isinstance(element, list) and not all(isinstance(x, (str, bytes)) for x in element):
        return tuple(element)
    return (element,)


def _columns(rows, rows_before):
    """Inputs, labels and weights of rows, each a list."""
    for row, values in enumerate(rows, rows_before):
        if len(values) != len(rows[0]):
            raise InputError(
                f"row {row} of the stream has {len(values)} values, and row {rows_before} has "
                f"{len(rows[0])}; give all rows as (text, label), or all with weights"
            )
    return tuple(map(list, zip(*rows, strict=True)))


def _as_arrays(batch):
    """A batch of tensors as arrays, of a ragged tensor an array of lists, so that batches can be
    joined; tf.data would make it a matrix wherever its rows are of one length."""
    if isinstance(batch, Mapping):
        return {name: _as_arrays(value) for name, value in batch.items()}
    if isinstance(batch, tuple):
        return tuple(map(_as_arrays, batch))
    return np.fromiter(batch.to_list(), object) if is_ragged(batch) else batch.numpy()


def _is_row(inputs):
    """Whether inputs are those of a single example."""
    if isinstance(inputs, Mapping):
        return any(map(_is_scalar, inputs.values()))
    if isinstance(inputs, tuple):
        return len(inputs) == 2 and any(isinstance(side, (str, bytes)) for side in inputs)
    return _is_scalar(inputs)


def _is_scalar(value):
    return not isinstance(value, (list, tuple)) and getattr(value, "shape", ()) == ()
