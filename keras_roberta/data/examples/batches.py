"""Strings and labels as batches of padded token ids, in memory or as a stream."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_roberta.data.autotuning import without_autotuning
from keras_roberta.data.examples.examples import Column, Examples
from keras_roberta.data.examples.ragged import Ragged
from keras_roberta.data.examples.streams import DatasetStream, PythonStream
from keras_roberta.data.examples.validation_split import first_of_validation
from keras_roberta.errors import InputError

# Grouping sorts this many batches' worth of rows by length: enough for the rows of a batch to be
# alike, few enough that a batch is still a near random draw.
BATCHES_A_GROUP = 50


def example_batches(
    make_examples: Callable[..., Examples],
    x,
    y=None,
    sample_weight=None,
    *,
    batch_size: int,
    bucket_lengths: bool = True,
) -> InMemoryExamples | ExampleStream:
    """What is in `x` as a source of batches.

    Args:
        make_examples: function of (x, y, sample_weight) giving `Examples`.
        x: inputs in memory, in a form that it takes; or a stream of inputs, (x, y) or
            (x, y, sample_weight), see `streams.open_stream`.
        y, sample_weight: one value an input, or None; a stream brings its own.
        batch_size: rows, or examples whose rows stay together; a batched stream keeps its size.
        bucket_lengths: see `RobertaPreprocessor.pad`.
    """
    if isinstance(x, (DatasetStream, PythonStream)):
        if y is not None or sample_weight is not None:
            raise InputError(
                "y, sample_weight: a stream of texts brings its own labels and weights; leave "
                "them out"
            )
        return ExampleStream(make_examples, x, bucket_lengths)
    return InMemoryExamples(make_examples(x, y, sample_weight), batch_size, bucket_lengths)


class InMemoryExamples:
    """Examples in memory, tokenised once; batches are cut from them in a new order each epoch.

    Attributes:
        examples: `Examples`
        batch_size: rows, or examples whose rows stay together.
        steps: batches an epoch.
        read_once: see `streams`.

    Args:
        units: numbers of the batch items to take; all by default.
    """

    read_once = False

    def __init__(
        self, examples: Examples, batch_size: int, bucket_lengths: bool = True, *, units=None
    ):
        self.examples = examples
        self.batch_size = batch_size
        self._units = np.arange(examples.num_units) if units is None else units
        self.steps = -(-len(self._units) // batch_size)
        self._bucket_lengths = bucket_lengths

    @property
    def rows_together(self) -> bool:
        """See `Examples.keep_rows_together`."""
        return self.examples.keep_rows_together

    @property
    def targets(self) -> Column | None:
        """Those of the batch items that are taken."""
        targets = self.examples.targets
        if isinstance(targets, Ragged):
            return targets.take(self._units)
        return None if targets is None else targets[self._units]

    def weigh_classes(self, factors: np.ndarray) -> None:
        """See `Examples.weighed`."""
        self.examples = self.examples.weighed(factors)

    def split(self, fraction: float) -> tuple[InMemoryExamples, InMemoryExamples]:
        """The last `fraction` of the examples apart, as Keras does; all rows of an example are on
        one side.

        Raises:
            InputError: one side would be empty.
        """
        numbers = self.examples.example_numbers(self._units)
        found = np.unique(numbers)
        cut_at = np.searchsorted(numbers, found[first_of_validation(len(found), fraction)])
        return tuple(
            InMemoryExamples(self.examples, self.batch_size, self._bucket_lengths, units=units)
            for units in (self._units[:cut_at], self._units[cut_at:])
        )

    def training(
        self, shuffle=True, group_by_length=True, seed=None, first_epoch=0
    ) -> tf.data.Dataset:
        """One epoch, drawn anew at each iteration.

        Args:
            seed: of the first epoch's order and those after it; drawn from numpy's global seed
                (which `keras.utils.set_random_seed` sets) by default.
            first_epoch: number of the epoch to begin with, from 0; it has the order that it has
                where all before it were iterated over.
        """
        seeds = _seeds_of_epochs(seed, first_epoch)
        examples, size = self.examples, self.batch_size

        def order():
            if not shuffle:
                return cut(self._units, size)
            random = np.random.default_rng(seeds.randint(2**31))
            everything = random.permutation(self._units)
            if group_by_length:
                return grouped(everything, examples.lengths, size, random)
            return cut(everything, size)

        return self._dataset(order)

    def inference(self) -> tf.data.Dataset:
        """Everything, the shortest first: the least padding. See `restore_order`."""
        return self._dataset(lambda: cut(self._sorted, self.batch_size))

    def restore_order(self, outputs):
        """Arrays with rows in the order of `inference`, or lists of them, back in the order of the
        examples."""
        back = np.argsort(self._sorted)
        if isinstance(outputs, list):
            return [outputs[i] for i in back]
        return tf.nest.map_structure(lambda array: array[back], outputs)

    @property
    def _sorted(self):
        return by_length(self._units, self.examples.lengths)

    def _dataset(self, order):
        def batches():
            for units in order():
                yield self.examples.batch(units, bucket_lengths=self._bucket_lengths)

        return _dataset(batches, self.examples.batch([0]), self.steps, self.rows_together)


class ExampleStream:
    """A stream of inputs, tokenised as it flows. It keeps its order, but for rows of a few
    neighbouring batches that trade places when they are grouped by length, where the stream can
    join them.

    Attributes:
        batch_size: rows, or None where the stream brings batches of a size that it does not tell.
        steps: batches an epoch, or None where the stream does not know.
        examples, targets: None; they are not known before they flow.
        read_once: see `streams`.
        error: what an input was refused with while it flowed, or None.
    """

    examples = None
    targets = None
    error = None

    def __init__(self, make_examples, stream, bucket_lengths=True):
        self._make_examples = make_examples
        self._bucket_lengths = bucket_lengths
        self._inputs = stream
        self.batch_size, self.steps = stream.batch_size, stream.steps
        self.read_once = stream.read_once

    @functools.cached_property
    def _first(self) -> Examples:
        first = self._inputs.first()
        if first is None:
            raise InputError("the data holds no texts")
        return self._tokenize(first, 0)

    @property
    def rows_together(self):
        """See `Examples.keep_rows_together`."""
        return self._first.keep_rows_together

    def training(
        self, shuffle=True, group_by_length=True, seed=None, first_epoch=0
    ) -> tf.data.Dataset:
        """See `InMemoryExamples.training`."""
        group = shuffle and group_by_length and self._inputs.joins
        return self._dataset(BATCHES_A_GROUP if group else 1, seed, first_epoch)

    def inference(self) -> tf.data.Dataset:
        """All batches as they come."""
        return self._dataset(1)

    def in_memory(self):
        """Each batch of the stream as `InMemoryExamples`."""
        for number, element in enumerate(self._inputs):
            examples = self._tokenize(element, number)
            yield InMemoryExamples(examples, examples.num_units, self._bucket_lengths)

    def restore_order(self, outputs):
        """Nothing was reordered."""
        return outputs

    def _dataset(self, batches_a_group, seed=None, first_epoch=0):
        seeds = _seeds_of_epochs(seed, first_epoch)
        like = self._first.batch([0])

        def batches():
            try:
                yield from pieces()
            except InputError as error:
                self.error = self.error or error
                raise

        def pieces():
            inputs = iter(self._inputs)
            random = np.random.default_rng(seeds.randint(2**31))
            number = 0
            while group := list(itertools.islice(inputs, batches_a_group)):
                element = group[0]
                if len(group) > 1:
                    element = tf.nest.map_structure(lambda *c: np.concatenate(c), *group)
                examples = self._tokenize(element, number)
                if _parts(examples) != _parts(self._first):
                    raise InputError(
                        f"from batch {number} on: {_parts(examples)}, and before "
                        f"{_parts(self._first)}; give all batches the same"
                    )
                number += len(group)
                orders = [np.arange(examples.num_units)]
                if batches_a_group > 1:
                    # Of batch items: an input may have given several.
                    size = -(-examples.num_units // len(group))
                    orders = grouped(orders[0], examples.lengths, size, random)
                for units in orders:
                    yield examples.batch(units, bucket_lengths=self._bucket_lengths)

        # Grouping cuts batches of unequal sizes anew: their number is not known then.
        steps = self.steps if batches_a_group == 1 else None
        return _dataset(batches, like, steps, self.rows_together)

    def _tokenize(self, element, number):
        parts = element if isinstance(element, tuple) else (element,)
        try:
            if len(parts) > 3:
                raise InputError(
                    f"expected tuples of inputs, labels and weights; found {len(parts)} parts; put "
                    "inputs of several parts into a tuple of their own, or into a dict"
                )
            x, y, weight = (*parts, None, None)[:3]
            return self._make_examples(x, y, weight)
        except InputError as error:
            self.error = InputError(f"from batch {number} on: {error}")
            raise self.error from None

    def split(self, fraction):
        raise InputError("validation_split needs data in memory; give validation_data instead")

    @contextlib.contextmanager
    def errors_of_inputs(self):
        """Raises what an input was refused with, in place of what tf.data makes of it."""
        try:
            yield
        except Exception:
            if self.error is not None:
                raise self.error from None
            raise


def _seeds_of_epochs(seed, first_epoch):
    """Draws a seed for each epoch, those of the epochs before the first one already drawn."""
    seeds = np.random.RandomState(np.random.randint(2**31) if seed is None else seed)
    for _ in range(first_epoch):
        seeds.randint(2**31)
    return seeds


def _parts(examples):
    """What batches of the examples consist of, in words."""
    parts = {"labels": examples.targets, "weights": examples.sample_weight}
    return " and ".join(["texts", *(name for name, part in parts.items() if part is not None)])


def by_length(order, lengths):
    """`order`, an array of numbers, sorted by length."""
    return order[np.argsort(lengths[order], kind="stable")]


def grouped(order, lengths, batch_size, random):
    """Numbers of batches whose rows are alike in length, in random order."""
    size = batch_size * BATCHES_A_GROUP
    groups = [by_length(order[i : i + size], lengths) for i in range(0, len(order), size)]
    batches = [batch for group in groups for batch in cut(group, batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def cut(order, batch_size):
    """Numbers in pieces of `batch_size`, the last one shorter."""
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def _dataset(generator, like, steps, rows_together):
    """A generator as a dataset whose elements have the structure and types of `like`."""
    axes = 3 if rows_together else 2  # may differ from batch to batch: examples, rows, lengths

    def spec(array):
        array = np.asarray(array)
        return tf.TensorSpec((None,) * min(array.ndim, axes) + array.shape[axes:], array.dtype)

    signature = tf.nest.map_structure(spec, like)
    dataset = tf.data.Dataset.from_generator(generator, output_signature=signature)
    if steps:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return without_autotuning(dataset.prefetch(4))
