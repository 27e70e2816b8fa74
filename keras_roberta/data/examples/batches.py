"""Strings and labels as batches of padded token ids."""

import dataclasses
import itertools

import numpy as np
import tensorflow as tf

from keras_roberta.data.autotuning import without_autotuning
from keras_roberta.data.examples.text_forms import texts_and_pairs
from keras_roberta.errors import InputError

FEATURES = {
    "token_ids": tf.TensorSpec((None, None), tf.int32),
    "padding_mask": tf.TensorSpec((None, None), tf.int32),
}
# Grouping sorts this many batches' worth of rows by length: enough for the rows of a batch to be
# alike, few enough that a batch is still a near random draw.
BATCHES_A_GROUP = 50


def text_batches(preprocessor, x, y, sample_weight, batch_size, check_targets, bucket_lengths=True):
    """The texts in `x` as a source of batches, or None where `x` does not hold texts.

    Args:
        preprocessor: a `RobertaPreprocessor`.
        x: texts in memory, in a form that the preprocessor takes; or a `tf.data.Dataset` of texts,
            (texts, y) or (texts, y, sample_weight), batched or one by one.
        y, sample_weight: one value a text, or None; a dataset brings its own.
        batch_size: rows; a batched dataset keeps its own size.
        check_targets: function on an array of labels, giving those for the loss.
        bucket_lengths: see `RobertaPreprocessor.pad`.

    Returns:
        `InMemoryTexts`, `TextStream` or None.
    """
    if isinstance(x, tf.data.Dataset):
        spec = x.element_spec
        specs = tf.nest.flatten(spec[0] if isinstance(spec, tuple) else spec)
        if any(spec.dtype != tf.string for spec in specs):
            return None
        if y is not None or sample_weight is not None:
            raise InputError("labels and weights of a tf.data.Dataset come from the dataset itself")
        return TextStream(preprocessor, x, batch_size, check_targets, bucket_lengths)
    if not is_text(x):
        return None
    rows = _Rows.tokenize(preprocessor, x, y, sample_weight, check_targets, bucket_lengths)
    return InMemoryTexts(rows, batch_size)


def is_text(x):
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


@dataclasses.dataclass
class _Rows:
    """Tokenised texts and what comes with them."""

    preprocessor: object
    values: np.ndarray  # int32 (total tokens)
    lengths: np.ndarray  # int64 (rows)
    columns: tuple  # y, then sample_weight, where there are any; (rows, ...)
    bucket_lengths: bool

    @classmethod
    def tokenize(cls, preprocessor, x, y, sample_weight, check_targets, bucket_lengths):
        values, lengths = preprocessor.tokenize(x)
        if not len(lengths):
            raise InputError("there are no texts")
        if y is not None:
            y = check_targets(y)
        columns = tuple(np.asarray(c) for c in (y, sample_weight) if c is not None)
        for column in columns:
            if len(column) != len(lengths):
                raise InputError(f"{len(lengths)} texts, but {len(column)} labels or weights")
        return cls(preprocessor, values, lengths, columns, bucket_lengths)

    def __post_init__(self):
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])

    def batch(self, rows):
        """The rows of these numbers, padded: features, or (features, *columns)."""
        values = [self.values[self._starts[row] : self._starts[row + 1]] for row in rows]
        features = self.preprocessor.pad(
            np.concatenate(values), self.lengths[rows], self.bucket_lengths
        )
        return (features, *(c[rows] for c in self.columns)) if self.columns else features

    def by_length(self, order):
        """`order`, a sequence of row numbers, sorted by length."""
        return order[np.argsort(self.lengths[order], kind="stable")]

    def grouped(self, order, batch_size, random):
        """Row numbers of batches whose rows are alike in length, in random order."""
        size = batch_size * BATCHES_A_GROUP
        groups = [self.by_length(order[i : i + size]) for i in range(0, len(order), size)]
        batches = [batch for group in groups for batch in cut(group, batch_size)]
        return [batches[i] for i in random.permutation(len(batches))]


def cut(order, batch_size):
    """Row numbers in pieces of `batch_size`, the last one shorter."""
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


class InMemoryTexts:
    """Texts in memory, tokenised once; batches are cut from the ids in a new order each epoch.

    Attributes:
        batch_size: rows.
        steps: batches an epoch.
    """

    def __init__(self, rows, batch_size):
        self._rows = rows
        self.batch_size = batch_size
        self.steps = -(-len(rows.lengths) // batch_size)

    def training(self, shuffle=True, group_by_length=True, seed=None):
        """One epoch as a `tf.data.Dataset`, drawn anew at each iteration.

        Args:
            seed: of the first epoch's order and those after it; drawn from numpy's global seed
                (which `keras.utils.set_random_seed` sets) by default.
        """
        seeds = np.random.RandomState(np.random.randint(2**31) if seed is None else seed)
        rows, size = self._rows, self.batch_size

        def order():
            everything = np.arange(len(rows.lengths))
            if not shuffle:
                return cut(everything, size)
            random = np.random.default_rng(seeds.randint(2**31))
            everything = random.permutation(everything)
            return (
                rows.grouped(everything, size, random) if group_by_length else cut(everything, size)
            )

        return self._dataset(order)

    def inference(self):
        """All rows, the shortest first: the least padding. See `restore_order`."""
        return self._dataset(lambda: cut(self._sorted, self.batch_size))

    def restore_order(self, outputs):
        """Arrays with rows in the order of `inference`, back in the order of the texts."""
        back = np.argsort(self._sorted)
        return tf.nest.map_structure(lambda array: array[back], outputs)

    @property
    def _sorted(self):
        return self._rows.by_length(np.arange(len(self._rows.lengths)))

    def _dataset(self, order):
        return _dataset(
            lambda: map(self._rows.batch, order()), _signature(self._rows.columns), self.steps
        )


class TextStream:
    """A `tf.data.Dataset` of texts, tokenised as it flows. It keeps its order, but for rows of a
    few neighbouring batches that trade places when they are grouped by length.

    Attributes:
        batch_size: rows, or None where the dataset brings batches of a size that it does not tell.
        steps: batches an epoch, or None where the dataset does not know.
    """

    def __init__(self, preprocessor, dataset, batch_size, check_targets, bucket_lengths):
        self._preprocessor = preprocessor
        self._few_lengths = bucket_lengths
        self._check_targets = check_targets
        if tf.nest.flatten(dataset.element_spec)[0].shape.rank == 0:
            dataset = dataset.batch(batch_size)
        else:
            batch_size = tf.nest.flatten(dataset.element_spec)[0].shape[0]
        self.batch_size = batch_size
        self._texts = without_autotuning(dataset)
        cardinality = int(dataset.cardinality())
        self.steps = cardinality if cardinality > 0 else None

    def training(self, shuffle=True, group_by_length=True, seed=None):
        """See `InMemoryTexts.training`."""
        return self._dataset(BATCHES_A_GROUP if shuffle and group_by_length else 1, seed)

    def inference(self):
        """All batches as they come."""
        return self._dataset(1)

    def restore_order(self, outputs):
        """Nothing was reordered."""
        return outputs

    def _dataset(self, batches_a_group, seed=None):
        seeds = np.random.RandomState(np.random.randint(2**31) if seed is None else seed)
        first = next(iter(self._texts.take(1).as_numpy_iterator()), None)
        if first is None:
            raise InputError("the dataset holds no texts")
        columns = self._tokenize(first).columns

        def batches():
            texts = self._texts.as_numpy_iterator()
            random = np.random.default_rng(seeds.randint(2**31))
            while group := list(itertools.islice(texts, batches_a_group)):
                size = len(tf.nest.flatten(group[0])[0])
                rows = self._tokenize(tf.nest.map_structure(lambda *c: np.concatenate(c), *group))
                order = np.arange(len(rows.lengths))
                grouping = batches_a_group > 1
                for batch in rows.grouped(order, size, random) if grouping else [order]:
                    yield rows.batch(batch)

        # Grouping cuts batches of unequal sizes anew: their number is not known then.
        steps = self.steps if batches_a_group == 1 else None
        return _dataset(batches, _signature(columns), steps)

    def _tokenize(self, element):
        x, y, weight = (*(element if isinstance(element, tuple) else (element,)), None, None)[:3]
        return _Rows.tokenize(
            self._preprocessor, x, y, weight, self._check_targets, self._few_lengths
        )


def _signature(columns):
    specs = tuple(tf.TensorSpec((None, *c.shape[1:]), c.dtype) for c in columns)
    return (FEATURES, *specs) if specs else FEATURES


def _dataset(generator, signature, steps):
    dataset = tf.data.Dataset.from_generator(generator, output_signature=signature)
    if steps:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return without_autotuning(dataset.prefetch(4))
