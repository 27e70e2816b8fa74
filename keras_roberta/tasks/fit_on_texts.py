"""`fit` and `evaluate` on raw strings."""

import keras
import numpy as np

from keras_roberta.data.examples.labelled_forms import validation_columns
from keras_roberta.data.examples.validation_split import split_rows
from keras_roberta.errors import InputError
from keras_roberta.tasks.data_reading import Inputs, by_number, errors_of
from keras_roberta.tasks.number_arguments import check_numbers
from keras_roberta.tasks.prediction import Prediction
from keras_roberta.tasks.single_batches import SingleBatches
from keras_roberta.training.callback_checks import check_rate_can_be_set, check_tensorboard
from keras_roberta.training.fit_changes import changes_undone
from keras_roberta.training.keras_internals import is_validation_in_fit
from keras_roberta.training.optimizer.skipped_steps import warn_of_skipped_steps
from keras_roberta.training.optimizer.spread_over_fit import spread_over_fit
from keras_roberta.unknown_arguments import argument_names, refuse_unknown


class FitOnTexts(SingleBatches, Prediction):
    """Mixed into a KerasHub task, before it in the bases.

    KerasHub's own `fit` batches strings first and pads each batch to one length. Here texts are
    tokenised first, so that a batch is padded to its own longest row and rows of like length can
    share one.

    What it asks of the task is said in `DataReading`.
    """

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
            class_weight: dict of factors, by the classes' names or numbers; 1 for the others. Or
                "balanced": all classes weigh the same, see `Schema.balanced_factors`.
            group_by_length: put texts of like length into one batch. Order stays random otherwise;
                off, batches are drawn from the whole data.
            shuffle: False keeps the order of the data, without grouping.
            initial_epoch: the epoch to go on with, from 0. Of texts in memory it has the order that
                it has in a whole run of the same seed. An optimizer that has done the steps of the
                epochs before goes on with the learning rates of the whole run.
            Others: as in `keras.Model.fit`.

        Returns:
            `keras.callbacks.History`

        Raises:
            InputError: texts, labels or numbers do not fit, a batch does not divide over the
                replicas, a part of the task was made outside the strategy's scope, or the task was
                made with `compile=False` and not compiled since.
        """
        refuse_unknown("fit", kwargs, argument_names(FitOnTexts.fit, keras.Model.fit))
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
                validation_columns(validation_data),
                validation_batch_size or batch_size,
                kwargs.get("validation_steps"),
            )
        balanced = isinstance(class_weight, str) and class_weight == "balanced"
        factors = None if balanced else self._class_factors(class_weight)
        seed = self._workers.number_of_chief(np.random.randint(2**31))
        splits = validation_split and validation_data is None
        data, x, y, sample_weight = self._read(
            *(x, y, sample_weight, batch_size),
            class_factors=None if splits else factors,  # the part to validate with is not weighed
            seed=seed if shuffle else None,
        )
        if splits:
            if data is not None:
                data, held_out = data.split(validation_split)
                validation_data = self._validation(Inputs(held_out))
                if factors is not None:
                    data.weigh_classes(factors)
            else:
                (x, y, sample_weight), held_out = split_rows(x, y, sample_weight, validation_split)
                validation_data = self._validation_batches(held_out, batch_size)
        if balanced:
            factors = self._balanced_factors(data, y)
            if data is not None:
                data.weigh_classes(factors)
        self._workers.check_divides(batch_size if data is None else data.batch_size)
        if data is not None:
            _check_passes(data, steps_per_epoch, epochs - initial_epoch)
            passed = initial_epoch if steps_per_epoch is None else 0
            x = data.training(shuffle, group_by_length, seed, passed)
            steps_per_epoch = steps_per_epoch or data.steps
            if steps_per_epoch:
                x = x.repeat()
            x = self.prepare_batches(x)
            y = sample_weight = batch_size = None
            shuffle = False  # done; Keras would warn that it cannot
        if class_weight is not None and (data is None or factors is None):
            if self._workers.several:
                raise InputError("class_weight: with several workers give sample_weight instead")
            kwargs["class_weight"] = by_number(class_weight, factors)
        if self._workers.several:
            x = self._workers.global_batches(
                x, y, sample_weight, batch_size=batch_size, shuffle=shuffle, seed=seed
            )
            y = sample_weight = batch_size = None
        spread_over_fit(self, steps_per_epoch, epochs, x, batch_size, initial_epoch)
        if self._workers.several:
            x = self._workers.own_part(x)
        if not self.optimizer.built:  # inside the step it would be traced twice
            with self._workers.scope():
                self.optimizer.build(self.trainable_variables)
        with (
            errors_of(data),
            warn_of_skipped_steps(self.optimizer),
            changes_undone(kwargs.get("callbacks")),
        ):
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
            known = argument_names(FitOnTexts.evaluate, keras.Model.evaluate)
            refuse_unknown("evaluate", kwargs, known)
            check_numbers(batch_size=batch_size, **kwargs)
            inputs = self._read(
                *(x, y, sample_weight, batch_size), as_a_whole=True, steps=kwargs.get("steps")
            )
            data = inputs.batches
            x, y, sample_weight, batch_size = self._to_measure_with(inputs, batch_size)
        with errors_of(data):
            return keras.Model.evaluate(
                self, x, y, batch_size, sample_weight=sample_weight, **kwargs
            )

    def _validation_batches(self, validation_data, batch_size, steps=None):
        x, y, sample_weight = validation_data
        return self._validation(
            self._read(x, y, sample_weight, batch_size, as_a_whole=True, steps=steps), batch_size
        )

    def _validation(self, inputs, batch_size=None):
        """Validation data as `keras.Model.fit` takes it."""
        x, y, sample_weight, _ = self._to_measure_with(inputs, batch_size)
        if y is None and sample_weight is None:
            return x
        return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)

    def _to_measure_with(self, inputs, batch_size):
        """x, y, sample_weight and batch size as `keras.Model.evaluate` takes them."""
        data, x, y, sample_weight = inputs
        if data is not None:
            x = self.prepare_batches(data.inference())
            y = sample_weight = batch_size = None
        if self._workers.several:
            x = self._workers.own_part(
                self._workers.global_batches(x, y, sample_weight, batch_size=batch_size)
            )
            y = sample_weight = batch_size = None
        return x, y, sample_weight, batch_size


def _check_passes(data, steps_per_epoch, epochs):
    if data.read_once and epochs > 1 and steps_per_epoch is None:
        raise InputError(
            f"epochs={epochs}: a generator is read once; give steps_per_epoch, or a list, a "
            "tf.data.Dataset or a PyDataset"
        )
