"""`fit`, `evaluate` and `predict` on raw strings."""

import logging

import keras
import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.tasks.multi_worker_fit import MultiWorkerFit
from keras_roberta.training.keras_internals import (
    inner_optimizer,
    is_validation_in_fit,
    learning_rate_schedule,
)
from keras_roberta.training.optimizer.schedules import LinearWarmupDecay

logger = logging.getLogger("keras_roberta")


class FitOnTexts(MultiWorkerFit):
    """Mixed into a KerasHub task, before it in the bases.

    KerasHub's own `fit` batches strings first and pads each batch to one length. Here texts are
    tokenised first, so that a batch is padded to its own longest row and rows of like length can
    share one.

    It asks the task to `make_examples`, whether data is what that takes (`needs_tokenizing`), and
    to `prepare_batches`.

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
        group_by_length=True,
        steps_per_epoch=None,
        initial_epoch=0,
        **kwargs,
    ):
        """`keras.Model.fit` on raw strings.

        With several workers (`tf.distribute.MultiWorkerMirroredStrategy`) each is given the same
        data and trains on its own rows of each batch; the order is the chief's.

        Args:
            x: texts: a list or array of strings, a pair `(firsts, seconds)` of them, or a dict of
                `text` and `text_pair`; a `tf.data.Dataset` of `(texts, labels)`, batched or not;
                or whatever `keras.Model.fit` takes, when tokenised already.
            y: labels: class numbers, or names where the preprocessor has `labels`.
            batch_size: rows a step, over all replicas; 32 by default.
            group_by_length: put texts of like length into one batch. Order stays random otherwise;
                off, batches are drawn from the whole data.
            shuffle: False keeps the order of the data, without grouping.
            Others: as in `keras.Model.fit`.

        Returns:
            `keras.callbacks.History`

        Raises:
            InputError: labels or sizes do not fit, a batch does not divide over the replicas, a
                part of the task was made outside the strategy's scope, or the task was made with
                `compile=False` and not compiled since.
        """
        if not self.compiled:
            raise InputError("You must call `compile()` before `fit()`: the task has no optimizer")
        self._workers.check_scope()
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = _split(x, y, sample_weight, validation_split)
        if validation_data is not None:
            validation_data = self._validation_batches(validation_data, batch_size)
        seed = self._workers.number_of_chief(np.random.randint(2**31))
        data = self._batches(x, y, sample_weight, batch_size)
        self._workers.check_divides(batch_size if data is None else data.batch_size)
        if data is not None:
            x = data.training(shuffle, group_by_length, seed)
            steps_per_epoch = steps_per_epoch or data.steps
            if steps_per_epoch:
                x = x.repeat()
            x = self.prepare_batches(x)
            y = sample_weight = batch_size = None
            shuffle = False  # done; Keras would warn that it cannot
        if self._workers.several:
            if kwargs.get("class_weight"):
                raise InputError("class_weight: with several workers give sample_weight instead")
            x = self._workers.global_batches(
                x, y, sample_weight, batch_size=batch_size, shuffle=shuffle, seed=seed
            )
            y = sample_weight = batch_size = None
        self._plan_schedule(steps_per_epoch, epochs - initial_epoch, x, batch_size)
        if self._workers.several:
            x = self._workers.own_part(x)
        if not self.optimizer.built:  # inside the step it would be traced twice
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
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
            **kwargs,
        )

    def evaluate(self, x=None, y=None, batch_size=None, sample_weight=None, **kwargs):
        """`keras.Model.evaluate` on raw strings; see `fit` for the forms of `x`."""
        if not is_validation_in_fit(kwargs):
            data = self._batches(x, y, sample_weight, batch_size)
            if data is not None:
                x = self.prepare_batches(data.inference())
                y = sample_weight = batch_size = None
            if self._workers.several:
                x = self._workers.own_part(
                    self._workers.global_batches(x, y, sample_weight, batch_size=batch_size)
                )
                y = sample_weight = batch_size = None
        return keras.Model.evaluate(self, x, y, batch_size, sample_weight=sample_weight, **kwargs)

    def predict(self, x, batch_size=None, **kwargs):
        """`keras.Model.predict` on raw strings; rows come back in the order of `x`.

        With several workers each predicts for itself: one may call it without the others.

        Returns:
            array (rows, ...); a list of arrays where outputs differ in length: one a token, or
            one an option of a question
        """
        data = self._batches(x, None, None, batch_size)
        with self._workers.this_process_alone():
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

    def preprocess_samples(self, x, y=None, sample_weight=None):
        """KerasHub's hook behind `train_on_batch` and its kin: one batch, tokenised here."""
        if self.preprocessor is None or not self.needs_tokenizing(x):
            return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        examples = self.make_examples(x, y, sample_weight)
        batch = examples.batch(np.arange(examples.num_units))
        return batch if isinstance(batch, tuple) else (batch,)

    def _batches(self, x, y, sample_weight, batch_size):
        """The inputs as a source of batches, or None where `x` is tokenised already."""
        # tf.data; here, since it is slow to import and not every use of a model needs it.
        from keras_roberta.data.examples.batches import example_batches

        if self.preprocessor is None:
            return None
        return example_batches(
            self.make_examples,
            x,
            y,
            sample_weight,
            batch_size=batch_size or 32,
            needs_tokenizing=self.needs_tokenizing,
            # Each shape is compiled.
            bucket_lengths=self._compiles_each_shape,
        )

    def _validation_batches(self, validation_data, batch_size):
        texts_alone = isinstance(validation_data, list) and self.needs_tokenizing(validation_data)
        if isinstance(validation_data, (tuple, list)) and not texts_alone:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(tuple(validation_data))
        else:
            x, y, sample_weight = validation_data, None, None
        data = self._batches(x, y, sample_weight, batch_size)
        if data is not None:
            x = self.prepare_batches(data.inference())
            y = sample_weight = None
        if self._workers.several:
            return self._workers.own_part(
                self._workers.global_batches(x, y, sample_weight, batch_size=batch_size)
            )
        return validation_data if data is None else x

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
