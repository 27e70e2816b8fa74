"""Strings and labels as batches of padded token ids, in memory or as a stream."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_roberta.data.autotuning import without_autotuning
from keras_roberta.data.examples.examples import Examples
from keras_roberta.data.examples.text_forms import texts_and_pairs
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
    needs_tokenizing: Callable[..., bool] | None = None,
    bucket_lengths: bool = True,
) -> InMemoryExamples | ExampleStream | None:
    """What is in `x` as a source of batches, or None where it is tokenised already.

    Args:
        make_examples: function of (x, y, sample_weight) giving `Examples`.
        x: inputs in memory, in a form that it takes; or a `tf.data.Dataset` of inputs, (x, y) or
            (x, y, sample_weight), batched or one by one.
        y, sample_weight: one value an input, or None; a dataset brings its own.
        batch_size: rows, or examples whose rows stay together; a batched dataset keeps its size.
        needs_tokenizing: whether `x` in memory is what `make_examples` takes; `is_text` by default.
        bucket_lengths: see `RobertaPreprocessor.pad`.
    """
    if isinstance(x, tf.data.Dataset):
        spec = x.element_spec
        specs = tf.nest.flatten(spec[0] if isinstance(spec, tuple) else spec)
        if not any(spec.dtype == tf.string for spec in specs):
            return None
        if y is not None or sample_weight is not None:
            raise InputError("labels and weights of a tf.data.Dataset come from the dataset itself")
        return ExampleStream(make_examples, x, batch_size, bucket_lengths)
    if not (needs_tokenizing or is_text)(x):
        return None
    return InMemoryExamples(make_examples(x, y, sample_weight), batch_size, bucket_lengths)


def is_text(x) -> bool:
    """Whether `x` is a collection of strings, or of pairs of strings, in memory."""
    if x is None or (isinstance(x, dict) and "text" not in x):
        return False
    first, _ = texts_and_pairs(x)
    if hasattr(first, "dtype") and not isinstance(first, np.ndarray):
        first = np.asarray(first)  # tf.Tensor, pandas.Series
    if isinstance(first, list) and not first:
        return True
    if isinstance(first, np.ndarray) and first.dtype.kind != "O":
        return first.dtype.kind in "US"
    return isinstance(first, (list, tuple, np.ndarray)) and all(
        isinstance(text, (str, bytes)) for text in itertools.islice(first, 1)
    )


class InMemoryExamples:
    """Examples in memory, tokenised once; batches are cut from them in a new order each epoch.

    Attributes:
        examples: `Examples`
        batch_size: rows, or examples whose rows stay together.
        steps: batches an epoch.
        row_mask: see `Examples`.
    """

    def __init__(self, examples: Examples, batch_size: int, bucket_lengths: bool = True):
        self.examples = examples
        self.batch_size = batch_size
        self.steps = -(-examples.num_units // batch_size)
        self.row_mask = examples.row_mask
        self._bucket_lengths = bucket_lengths

    def training(self, shuffle=True, group_by_length=True, seed=None) -> tf.data.Dataset:
        """One epoch, drawn anew at each iteration.

        Args:
            seed: of the first epoch's order and those after it; drawn from numpy's global seed
                (which `keras.utils.set_random_seed` sets) by default.
        """
        seeds = np.random.RandomState(np.random.randint(2**31) if seed is None else seed)
        examples, size = self.examples, self.batch_size

        def order():
            everything = np.arange(examples.num_units)
            if not shuffle:
                return cut(everything, size)
            random = np.random.default_rng(seeds.randint(2**31))
            everything = random.permutation(everything)
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
        return by_length(np.arange(self.examples.num_units), self.examples.lengths)

    def _dataset(self, order):
        def batches():
            for units in order():
                yield self.examples.batch(units, bucket_lengths=self._bucket_lengths)

        return _dataset(batches, self.examples.batch([0]), self.steps)


class ExampleStream:
    """A `tf.data.Dataset` of inputs, tokenised as it flows. It keeps its order, but for rows of a
    few neighbouring batches that trade places when they are grouped by length.

    Attributes:
        batch_size: rows, or None where the dataset brings batches of a size that it does not tell.
        steps: batches an epoch, or None where the dataset does not know.
        examples: None; they are not known before they flow.
        row_mask: see `Examples`.
    """

    examples = None

    def __init__(self, make_examples, dataset, batch_size, bucket_lengths=True):
        self._make_examples = make_examples
        self._bucket_lengths = bucket_lengths
        if tf.nest.flatten(dataset.element_spec)[0].shape.rank == 0:
            dataset = dataset.batch(batch_size)
        else:
            batch_size = tf.nest.flatten(dataset.element_spec)[0].shape[0]
        self.batch_size = batch_size
        self._inputs = without_autotuning(dataset)
        cardinality = int(dataset.cardinality())
        self.steps = cardinality if cardinality > 0 else None

    @functools.cached_property
    def _first(self) -> Examples:
        first = next(iter(self._inputs.take(1).as_numpy_iterator()), None)
        if first is None:
            raise InputError("the dataset holds no texts")
        return self._tokenize(first)

    @property
    def row_mask(self):
        return self._first.row_mask

    def training(self, shuffle=True, group_by_length=True, seed=None) -> tf.data.Dataset:
        """See `InMemoryExamples.training`."""
        return self._dataset(BATCHES_A_GROUP if shuffle and group_by_length else 1, seed)

    def inference(self) -> tf.data.Dataset:
        """All batches as they come."""
        return self._dataset(1)

    def in_memory(self):
        """Each batch of the dataset as `InMemoryExamples`."""
        for element in self._inputs.as_numpy_iterator():
            examples = self._tokenize(element)
            yield InMemoryExamples(examples, examples.num_units, self._bucket_lengths)

    def restore_order(self, outputs):
        """Nothing was reordered."""
        return outputs

    def _dataset(self, batches_a_group, seed=None):
        seeds = np.random.RandomState(np.random.randint(2**31) if seed is None else seed)
        like = self._first.batch([0])

        def batches():
            inputs = self._inputs.as_numpy_iterator()
            random = np.random.default_rng(seeds.randint(2**31))
            while group := list(itertools.islice(inputs, batches_a_group)):
                examples = self._tokenize(
                    tf.nest.map_structure(lambda *c: np.concatenate(c), *group)
                )
                orders = [np.arange(examples.num_units)]
                if batches_a_group > 1:
                    # Of batch items: an input may have given several.
                    size = -(-examples.num_units // len(group))
                    orders = grouped(orders[0], examples.lengths, size, random)
                for units in orders:
                    yield examples.batch(units, bucket_lengths=self._bucket_lengths)

        # Grouping cuts batches of unequal sizes anew: their number is not known then.
        steps = self.steps if batches_a_group == 1 else None
        return _dataset(batches, like, steps)

    def _tokenize(self, element):
        x, y, weight = (*(element if isinstance(element, tuple) else (element,)), None, None)[:3]
        return self._make_examples(x, y, weight)


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


def _dataset(generator, like, steps):
    """A generator as a dataset whose elements have the structure and types of `like`."""

    def spec(array):
        array = np.asarray(array)
        # Which axes differ from batch to batch is not known: rows, lengths, most rows an example.
        return tf.TensorSpec((None,) * min(array.ndim, 2) + array.shape[2:], array.dtype)

    signature = tf.nest.map_structure(spec, like)
    dataset = tf.data.Dataset.from_generator(generator, output_signature=signature)
    if steps:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return without_autotuning(dataset.prefetch(4))
