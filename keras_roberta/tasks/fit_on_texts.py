"""`fit`, `evaluate` and `predict` on raw strings."""

import contextlib
import functools
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_roberta.data.examples.examples import checked_weights
from keras_roberta.data.examples.labelled_forms import with_labels
from keras_roberta.data.examples.named_columns import named_columns
from keras_roberta.data.examples.streams import is_stream, open_stream
from keras_roberta.data.examples.text_forms import holds_strings
from keras_roberta.errors import InputError
from keras_roberta.tasks.class_losses import is_of_keras
from keras_roberta.tasks.multi_worker_fit import MultiWorkerFit
from keras_roberta.tasks.number_arguments import check_numbers
from keras_roberta.training.keras_internals import (
    inner_optimizer,
    is_validation_in_fit,
    learning_rate_schedule,
)
from keras_roberta.training.optimizer.schedules import LinearWarmupDecay, check_rate_can_be_set
from keras_roberta.training.runs.run_log import check_tensorboard

logger = logging.getLogger("keras_roberta")


class Inputs(NamedTuple):
    """What `fit`, `evaluate` and `predict` were given.

    Attributes:
        batches: texts as a source of batches (`data.examples.batches`); None where inputs are
            tokenised already.
        x, y, sample_weight: the inputs as Keras takes them, where `batches` is None.
    """

    batches: Any
    x: Any = None
    y: Any = None
    sample_weight: Any = None


class FitOnTexts(MultiWorkerFit):
    """Mixed into a KerasHub task, before it in the bases.

    KerasHub's own `fit` batches strings first and pads each batch to one length. Here texts are
    tokenised first, so that a batch is padded to its own longest row and rows of like length can
    share one.

    It asks the task to `make_examples`, whether data is what that takes (`needs_tokenizing`),
    whether it `learns_from_labels`, and to `prepare_batches`.

    Attributes:
        outputs_per_token: whether the outputs are (rows, length, ...); `predict` then cuts those
            of padding off. A task with a schema has it from there.
    """

    outputs_per_token = False

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        sample_weight=None,
        validation_data=None,
        validation_split=0.0,
        shuffle=True,
        class_weight=None,
        group_by_length=True,
        steps_per_epoch=None,
        initial_epoch=0,
        validation_batch_size=None,
        **kwargs,
    ):
        """`keras.Model.fit` on raw strings.

        With several workers (`tf.distribute.MultiWorkerMirroredStrategy`) each is given the same
        data and trains on its own rows of each batch; the order is the chief's.

        Args:
            x: texts, in one of these forms. A list, array, tensor or column (pandas, polars) of
                strings. A pair `(firsts, seconds)` of them, or a list of pairs. A table: a dict of
                columns, a list of dicts, or a data frame, with `text` (and `text_pair`). Without
                `y` also with labels: `(texts, labels)`, a list of `(text, label)`, a table with
                `label`; or bit by bit: a `tf.data.Dataset`, a generator, a `keras.utils.PyDataset`
                or another iterable, of rows or of batches. Or whatever `keras.Model.fit` takes,
                when tokenised already: a dict of `token_ids` and `padding_mask`.
            y: labels: class numbers, or names where the preprocessor has `labels`.
            batch_size: rows a step, over all replicas; 32 by default. Batches of a stream keep
                their size.
            validation_data: in any of the forms that bring labels.
            class_weight: dict of factors, by the classes' names or numbers; 1 for the others.
            group_by_length: put texts of like length into one batch. Order stays random otherwise;
                off, batches are drawn from the whole data.
            shuffle: False keeps the order of the data, without grouping.
            Others: as in `keras.Model.fit`.

        Returns:
            `keras.callbacks.History`

        Raises:
            InputError: texts, labels or numbers do not fit, a batch does not divide over the
                replicas, a part of the task was made outside the strategy's scope, or the task was
                made with `compile=False` and not compiled since.
        """
        if not self.compiled:
            raise InputError("You must call `compile()` before `fit()`: the task has no optimizer")
        check_numbers(
            batch_size=batch_size,
            epochs=epochs,
            validation_split=validation_split,
            steps_per_epoch=steps_per_epoch,
            initial_epoch=initial_epoch,
            validation_batch_size=validation_batch_size,
            **kwargs,
        )
        self._workers.check_scope()
        check_tensorboard(kwargs.get("callbacks"))
        check_rate_can_be_set(self.optimizer, kwargs.get("callbacks"))
        if validation_data is not None:
            validation_data = self._validation_batches(
                _as_columns(validation_data),
                validation_batch_size or batch_size,
                kwargs.get("validation_steps"),
            )
        factors = self._class_factors(class_weight)
        seed = self._workers.number_of_chief(np.random.randint(2**31))
        splits = validation_split and validation_data is None
        data, x, y, sample_weight = self._read(
            *(x, y, sample_weight, batch_size),
            class_factors=None if splits else factors,  # the part to validate with is not weighed
            seed=seed if shuffle else None,
        )
        if splits:
            if data is not None:
                data, validation_data = data.split(validation_split)
                validation_data = self._prepared(data=validation_data)
                if factors is not None:
                    data.weigh_classes(factors)
            else:
                (x, y, sample_weight), validation_data = _split(
                    x, y, sample_weight, validation_split
                )
                validation_data = self._validation_batches(validation_data, batch_size)
        self._workers.check_divides(batch_size if data is None else data.batch_size)
        if data is not None:
            _check_passes(data, steps_per_epoch, epochs - initial_epoch)
            x = data.training(shuffle, group_by_length, seed)
            steps_per_epoch = steps_per_epoch or data.steps
            if steps_per_epoch:
                x = x.repeat()
            x = self.prepare_batches(x)
            y = sample_weight = batch_size = None
            shuffle = False  # done; Keras would warn that it cannot
        if class_weight is not None and (data is None or factors is None):
            if self._workers.several:
                raise InputError("class_weight: with several workers give sample_weight instead")
            kwargs["class_weight"] = _by_number(class_weight, factors)
        if self._workers.several:
            x = self._workers.global_batches(
                x, y, sample_weight, batch_size=batch_size, shuffle=shuffle, seed=seed
            )
            y = sample_weight = batch_size = None
        self._plan_schedule(steps_per_epoch, epochs - initial_epoch, x, batch_size)
        if self._workers.several:
            x = self._workers.own_part(x)
        if not self.optimizer.built:  # inside the step it would be traced twice
            with self._workers.scope():
                self.optimizer.build(self.trainable_variables)
        with _errors_of(data), _told_of_skipped_steps(self.optimizer):
            return keras.Model.fit(
                self,
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                sample_weight=sample_weight,
                validation_data=validation_data,
                shuffle=shuffle,
                steps_per_epoch=steps_per_epoch,
                initial_epoch=initial_epoch,
                validation_batch_size=validation_batch_size,
                **kwargs,
            )

    def evaluate(self, x=None, y=None, batch_size=None, sample_weight=None, **kwargs):
        """`keras.Model.evaluate` on raw strings; see `fit` for the forms of `x`."""
        data = None
        if not is_validation_in_fit(kwargs):
            check_numbers(batch_size=batch_size, **kwargs)
            data, x, y, sample_weight = self._read(
                x, y, sample_weight, batch_size, once_for=kwargs.get("steps")
            )
            if data is not None:
                x = self.prepare_batches(data.inference())
                y = sample_weight = batch_size = None
            if self._workers.several:
                x = self._workers.own_part(
                    self._workers.global_batches(x, y, sample_weight, batch_size=batch_size)
                )
                y = sample_weight = batch_size = None
        with _errors_of(data):
            return keras.Model.evaluate(
                self, x, y, batch_size, sample_weight=sample_weight, **kwargs
            )

    def predict(self, x, batch_size=None, **kwargs):
        """`keras.Model.predict` on raw strings; rows come back in the order of `x`.

        With several workers each predicts for itself: one may call it without the others.

        Args:
            x: see `fit`. Labels that come along are left out.

        Returns:
            array (rows, ...); a list of arrays where outputs differ in length: one a token, or
            one an option of a question
        """
        check_numbers(batch_size=batch_size, **kwargs)
        data, x, *_ = self._read(
            x, batch_size=batch_size, labelled=False, once_for=kwargs.get("steps")
        )
        with self._workers.this_process_alone(), _errors_of(data):
            if data is None:
                return keras.Model.predict(self, x, batch_size, **kwargs)
            if data.examples is None and self._joins_rows:  # of a stream: batch by batch
                parts = [self._predict_source(part, **kwargs) for part in data.in_memory()]
                return [output for part in parts for output in part]
            return self._predict_source(data, **kwargs)

    @property
    def _joins_rows(self):
        return type(self).join_rows is not FitOnTexts.join_rows

    def _predict_source(self, data, **kwargs):
        features = self.prepare_batches(data.inference(), predicting=True)
        mask = "padding_mask" if self.outputs_per_token else data.row_mask
        if mask:
            for name in ("callbacks", "steps"):
                if kwargs.get(name) is not None:
                    raise InputError(
                        f"{name}: predict does not take it where outputs differ in length; leave "
                        "it out"
                    )
            outputs = self._predict_ragged(features, mask)
        else:
            outputs = keras.Model.predict(self, features, **kwargs)
        outputs = data.restore_order(outputs)
        return self.join_rows(outputs, data.examples) if self._joins_rows else outputs

    def _predict_ragged(self, batches, mask):
        """Outputs that differ in length, without those of padding: a list of arrays.

        Args:
            mask: name of the feature that is 0 where there is nothing but padding.
        """
        rows = []
        for features in batches:
            outputs = keras.ops.convert_to_numpy(self.predict_on_batch(features))
            masks = np.asarray(features[mask], bool)
            rows += [row[kept] for row, kept in zip(outputs, masks, strict=True)]
        return rows

    def join_rows(self, outputs, examples):
        """Outputs of rows as those of examples; for tasks whose examples have several rows.

        Args:
            outputs: array (rows, ...) or list of arrays, in the order of the rows.
            examples: the `Examples` they belong to; see `Examples.by_example`.
        """
        return outputs

    # === Single batches ===

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, **kwargs):
        """`keras.Model.train_on_batch` on raw strings; see `fit` for the forms of `x`."""
        factors = self._class_factors(class_weight)
        batch = self._single_batch(x, y, sample_weight, factors)
        if class_weight is not None and (factors is None or not self._takes_as_texts(x)):
            kwargs["class_weight"] = _by_number(class_weight, factors)
            x, y, sample_weight = batch
            batch = x, keras.ops.convert_to_numpy(y), sample_weight  # which Keras asks for here
        return keras.Model.train_on_batch(self, *batch, **kwargs)

    def test_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        """`keras.Model.test_on_batch` on raw strings; see `fit` for the forms of `x`."""
        return keras.Model.test_on_batch(self, *self._single_batch(x, y, sample_weight), **kwargs)

    def predict_on_batch(self, x):
        """`keras.Model.predict_on_batch` on raw strings; see `predict` for the forms of `x`."""
        x, *_ = keras.utils.unpack_x_y_sample_weight(self.preprocess_samples(x))
        return keras.Model.predict_on_batch(self, _as_tensors(x))

    def preprocess_samples(self, x, y=None, sample_weight=None):
        """KerasHub's hook: one batch, tokenised here."""
        if not self._takes_as_texts(x):
            return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        return self._one_batch(self.make_examples(x, y, sample_weight))

    def _single_batch(self, x, y, sample_weight, class_factors=None):
        """x, y and sample_weight of a step, as tensors."""
        if y is None and self._reads_labels:
            x, y, sample_weight = _labelled(x, sample_weight)
        if self._takes_as_texts(x):
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(
                self._one_batch(self._examples(class_factors, x, y, sample_weight))
            )
        elif isinstance(x, Mapping) and y is not None:
            x, y, sample_weight = self._of_tokenised(x, y, sample_weight)
        return _as_tensors(x), _as_tensors(y), _as_tensors(sample_weight)

    @staticmethod
    def _one_batch(examples):
        batch = examples.batch(np.arange(examples.num_units))
        return batch if isinstance(batch, tuple) else (batch,)

    # === From what was given to batches ===

    def _read(
        self,
        x,
        y=None,
        sample_weight=None,
        batch_size=None,
        *,
        labelled=True,
        class_factors=None,
        seed=None,
        once_for=False,
    ):
        """What was given, as `Inputs`.

        Args:
            labelled: whether labels are read, or left out.
            class_factors: see `Schema.class_factors`.
            seed: of the order of a PyDataset's batches; None to keep it.
            once_for: number of batches, or None for all, of a generator that is read as a whole;
                False to read it bit by bit.
        """
        of_stream = is_stream(x)
        if of_stream:
            if labelled:  # predict is for each worker by itself
                self._workers.check_not_a_generator(x)
            x = open_stream(x, batch_size or 32, seed=seed)
            if once_for is not False and getattr(x, "read_once", False):
                x = x.collected(once_for)
            takes = hasattr(x, "read_once")
            if takes and self.preprocessor is None:
                raise _no_preprocessor()
        else:
            if labelled and y is None and self._reads_labels:
                x, y, sample_weight = _labelled(x, sample_weight)
            takes = self._takes_as_texts(x)
        if not takes:
            return Inputs(None, *self._of_tokenised(x, y, sample_weight, batch_size, labelled))
        # tf.data; here, since it is slow to import and not every use of a model needs it.
        from keras_roberta.data.examples.batches import example_batches

        if labelled:
            make_examples = functools.partial(self._examples, class_factors)
        else:
            make_examples = _without_labels(self.make_examples)
        return Inputs(
            example_batches(
                make_examples,
                x,
                y,
                sample_weight,
                batch_size=batch_size or 32,
                # Each shape is compiled.
                bucket_lengths=self._compiles_each_shape,
            )
        )

    def _of_tokenised(self, x, y, sample_weight, batch_size=None, labelled=True):
        """Token ids, labels and weights as Keras takes them."""
        if isinstance(x, Mapping):
            x = {name: _as_array(name, values) for name, values in x.items()}
        if labelled and y is None and not self.learns_from_labels:
            # The task makes its targets of the ids.
            if isinstance(x, Mapping):
                import tensorflow as tf

                x = tf.data.Dataset.from_tensor_slices(x).batch(batch_size or 32)
            if isinstance(getattr(x, "element_spec", None), Mapping):
                x = self.prepare_batches(x)
        elif self.schema_cls is not None and self.learns_from_labels:
            # A loss of one's own may take what it likes.
            if y is not None and (holds_strings(y) or is_of_keras(self.loss)):
                y = self.check_targets(y)
            sample_weight = None if sample_weight is None else checked_weights(sample_weight)
        return x, y, sample_weight

    def _takes_as_texts(self, x):
        """Whether `x`, in memory, is for `make_examples`."""
        if self.preprocessor is not None:
            return self.needs_tokenizing(x)
        if holds_strings(x):
            raise _no_preprocessor()
        return False

    def _examples(self, class_factors, x, y, sample_weight):
        """`make_examples` of what is learnt from or measured with."""
        if y is None and self._reads_labels:
            x, y, sample_weight = _labelled(x, sample_weight)
        if not self.learns_from_labels:
            y = sample_weight = None
        examples = self.make_examples(x, y, sample_weight)
        if examples.targets is None and self.learns_from_labels and self._needs_labels:
            raise InputError(
                "there are no labels: give them as y, as (texts, labels) or in a column 'label'"
            )
        if class_factors is not None:
            examples = examples.weighed(class_factors)
        return examples

    @property
    def _reads_labels(self):
        """Whether data without `y` may bring labels along: a pair of texts is none then."""
        schema = self.schema_cls
        return self.learns_from_labels or not schema.takes_pairs

    @property
    def _needs_labels(self):
        return self.loss is not None and not self._transforms["loss_transforms"]

    def _class_factors(self, class_weight):
        """See `Schema.class_factors`; None for none, and where Keras reads them."""
        if class_weight is None or self.schema_cls is None:
            return None
        return self.schema.class_factors(class_weight)

    def _validation_batches(self, validation_data, batch_size, steps=None):
        x, y, sample_weight = validation_data
        data, *tokenised = self._read(x, y, sample_weight, batch_size, once_for=steps)
        return self._prepared(*tokenised, data=data, batch_size=batch_size)

    def _prepared(self, x=None, y=None, sample_weight=None, *, data, batch_size=None):
        """Validation data as `keras.Model.fit` takes it."""
        if data is not None:
            x = self.prepare_batches(data.inference())
        if self._workers.several:
            return self._workers.own_part(
                self._workers.global_batches(x, y, sample_weight, batch_size=batch_size)
            )
        if data is not None or (y is None and sample_weight is None):
            return x
        return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)

    def _plan_schedule(self, steps_per_epoch, epochs, x, batch_size):
        """Spreads the default schedule over this call of `fit`."""
        optimizer = inner_optimizer(self.optimizer)
        schedule = learning_rate_schedule(optimizer)
        if not isinstance(schedule, LinearWarmupDecay) or not schedule.follows_fit:
            return
        if steps_per_epoch is None:
            steps_per_epoch = _count_steps(x, batch_size)
        if steps_per_epoch is None:
            logger.warning(
                "the length of the data is unknown, so the learning rate stays at its peak; give "
                "fit steps_per_epoch for the warm-up and decay"
            )
        schedule.plan(
            int(keras.ops.convert_to_numpy(optimizer.iterations)),
            steps_per_epoch and steps_per_epoch * epochs,
        )
        if keras.backend.backend() != "tensorflow":
            self.train_function = None  # its trace holds the old plan


def _count_steps(x, batch_size):
    if hasattr(x, "cardinality"):
        count = x.cardinality  # a tf.distribute.DistributedDataset holds the number itself
        count = int(count() if callable(count) else count)
        return count if count > 0 else None
    if hasattr(x, "__len__") and not isinstance(x, (dict, tuple, list, np.ndarray)):
        return len(x)  # keras.utils.PyDataset
    first = keras.tree.flatten(x)[0]
    if not hasattr(first, "__len__"):
        return None  # a generator
    return -(-len(first) // (batch_size or 32))


def _labelled(x, sample_weight):
    """As `with_labels`; weights that were given apart stay."""
    x, y, own = with_labels(x)
    return x, y, own if sample_weight is None else sample_weight


def _without_labels(make_examples):
    return lambda x, *_: make_examples(x)


def _as_columns(validation_data):
    """x, y and sample_weight of validation data; Keras takes lists for tuples there."""
    data = validation_data
    if isinstance(data, list) and len(data) in (2, 3):
        if not any(isinstance(part, (str, bytes, tuple)) for part in data):
            data = tuple(data) if named_columns(data) is None else data
    if isinstance(data, tuple) and len(data) in (2, 3):
        return (*data, None)[:3]
    return data, None, None


def _by_number(class_weight, factors):
    """Class weights as Keras takes them."""
    return class_weight if factors is None else dict(enumerate(factors.tolist()))


def _as_tensors(tree):
    return None if tree is None else keras.tree.map_structure(keras.ops.convert_to_tensor, tree)


def _no_preprocessor():
    return InputError(
        "the task has no preprocessor to tokenize texts; make it with one, or give a dict of "
        "token_ids and padding_mask"
    )


def _check_passes(data, steps_per_epoch, epochs):
    if data.read_once and epochs > 1 and steps_per_epoch is None:
        raise InputError(
            f"epochs={epochs}: a generator is read once; give steps_per_epoch, or a list, a "
            "tf.data.Dataset or a PyDataset"
        )


def _errors_of(data):
    if hasattr(data, "errors_of_inputs"):
        return data.errors_of_inputs()
    return contextlib.nullcontext()


@contextlib.contextmanager
def _told_of_skipped_steps(optimizer):
    """A warning after training if there were steps without a finite gradient."""

    def counted():
        numbers = (getattr(inner_optimizer(optimizer), "skipped_steps", 0), optimizer.iterations)
        return np.array([int(keras.ops.convert_to_numpy(number)) for number in numbers])

    before = counted()
    yield
    skipped, steps = counted() - before
    if skipped:
        logger.warning(
            "%d of %d steps changed nothing, since their gradients were not finite; look for NaN "
            "in labels and weights, or lower the learning rate",
            skipped,
            steps,
        )


def _as_array(name, values):
    """A feature that is given as lists as an array."""
    if not isinstance(values, (list, tuple)):
        return values
    try:
        return np.asarray(values)
    except ValueError:
        raise InputError(f"{name}: the rows differ in length; pad them") from None


def _split(x, y, sample_weight, fraction):
    """The last `fraction` of the rows apart, as Keras does."""
    if hasattr(x, "element_spec"):
        raise InputError("validation_split needs data in memory; give validation_data instead")
    arrays = [x, y, sample_weight]
    first = next(iter(x.values())) if isinstance(x, dict) else x[0] if isinstance(x, tuple) else x
    rows = len(first)
    cut = int(rows * (1.0 - fraction))
    if not 0 < cut < rows:
        raise InputError(f"validation_split={fraction} of {rows} rows leaves one side empty")

    def part(value, start, stop):
        if value is None:
            return None
        if isinstance(value, dict):
            return {key: part(item, start, stop) for key, item in value.items()}
        if isinstance(value, tuple):
            return tuple(part(item, start, stop) for item in value)
        return value[start:stop]

    train = tuple(part(value, 0, cut) for value in arrays)
    return train, tuple(part(value, cut, rows) for value in arrays)
