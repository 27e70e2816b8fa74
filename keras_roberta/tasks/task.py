"""What all tasks share: presets, and `fit`, `evaluate` and `predict` on raw strings."""

import contextlib

import keras
import numpy as np

from keras_roberta.checkpoints.presets import PresetMixin, logger, open_preset
from keras_roberta.data.examples.preprocessor import RobertaPreprocessor
from keras_roberta.errors import InputError
from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.tasks.multi_worker_fit import MultiWorkerFit
from keras_roberta.training.keras_internals import (
    inner_optimizer,
    is_validation_in_fit,
    learning_rate_schedule,
)
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer
from keras_roberta.training.optimizer.schedules import LinearWarmupDecay
from keras_roberta.training.step.composed_train_step import ComposedTrainStep

_OF_BACKBONE = (
    *("dtype", "max_sequence_length", "extend_positions"),
    *("attention", "remat", "encoder_dropout"),
)


class RobertaTask(ComposedTrainStep, MultiWorkerFit, PresetMixin):
    """Mixed into a KerasHub task, before it in the bases.

    KerasHub's own `fit` batches strings first and pads each batch to one length. Here texts are
    tokenised first, so that a batch is padded to its own longest row and rows of like length can
    share one.

    A task defines `head_weights_by_name`, `read_hugging_face_head` and
    `settings_from_hugging_face` so that presets can fill its head, and may override
    `check_targets` and `prepare_batches`.
    """

    preprocessor_cls = RobertaPreprocessor

    # === Presets ===

    @classmethod
    def from_preset(cls, preset, load_weights=True, **kwargs):
        """Builds the task from a preset.

        Args:
            preset: a directory (ours, or a Hugging Face checkpoint as downloaded), or
                "hf://organisation/name".
            load_weights: False for a random start with the preset's shape and tokenizer.
            **kwargs: constructor arguments of the task, of its preprocessor (`sequence_length`,
                `labels`), and of `RobertaBackbone.from_preset`: `dtype`, `max_sequence_length`,
                `extend_positions`, `attention`, `remat`, `encoder_dropout`. `num_classes` asks for
                a new head; a `sequence_length` beyond the model's positions is cut to them.

        Raises:
            InputError: names the file, tensor or field that is wrong.
        """
        source = open_preset(preset)
        backbone = kwargs.pop("backbone", None)
        if backbone is None:
            if kwargs.get("max_sequence_length"):
                kwargs.setdefault("sequence_length", kwargs["max_sequence_length"])
            of_backbone = {name: kwargs.pop(name) for name in _OF_BACKBONE if name in kwargs}
            backbone = RobertaBackbone.from_preset(preset, load_weights, **of_backbone)
        # A head of another size cannot be the saved one; KerasHub's rule is that giving
        # `num_classes` at all means a new head.
        saved = None if "num_classes" in kwargs else source.task_settings(cls)
        settings = saved or {}
        preprocessing = settings.pop("preprocessor", None) or {}
        preprocessing |= {
            name: kwargs.pop(name) for name in cls.preprocessor_cls.settings if name in kwargs
        }
        if "preprocessor" not in kwargs:
            longest = backbone.config.max_sequence_length  # there is no position beyond
            preprocessing["sequence_length"] = min(
                preprocessing.get("sequence_length", longest), longest
            )
            tokenizer = source.tokenizer()
            check_vocabulary(tokenizer, source)
            settings["preprocessor"] = cls.preprocessor_cls(tokenizer=tokenizer, **preprocessing)
        cls.check_head(saved is not None, source, kwargs)
        task = cls(backbone=backbone, **settings | kwargs)
        if load_weights and saved is not None:
            source.load_head(task)
        elif load_weights and task.has_task_weights():
            missing = ", ".join(task.head_names())
            logger.warning(
                "%s: the head starts random (%s); train it before use", source.directory, missing
            )
        return task

    def head_names(self):
        """What a warning names when the head starts random."""
        return list(self.head_weights_by_name())

    @staticmethod
    def settings_from_other_task(registered_name, settings):
        """Constructor arguments out of another task's, where that one holds this one's head under
        the same layer name; else None."""
        return None

    @classmethod
    def check_head(cls, found, source, kwargs):
        """Called before building; raises where a task cannot do without a saved head."""

    def save_task_weights(self, filepath):
        with self._without_optimizer():
            super().save_task_weights(filepath)

    def load_task_weights(self, filepath):
        with self._without_optimizer():
            super().load_task_weights(filepath)

    @contextlib.contextmanager
    def _without_optimizer(self):
        """Keras would put the moments into the file, twice the size of the model."""
        optimizer, self.optimizer = self.optimizer, None
        try:
            yield
        finally:
            self.optimizer = optimizer

    # === Training ===

    def compile(self, optimizer="auto", **kwargs):
        """`keras.Model.compile` with the library's defaults.

        Args:
            optimizer: "auto" for `training.finetuning_optimizer()`, whose schedule `fit` spreads
                over its own number of steps; or any Keras optimizer.
            jit_compile, loss_transforms, gradient_transforms, gradient_accumulation_steps: the
                parts of the step; see `ComposedTrainStep.compile`.
        """
        if optimizer == "auto":
            optimizer = finetuning_optimizer()
        super().compile(optimizer=optimizer, **kwargs)

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
            InputError: labels or sizes do not fit, a batch does not divide over the replicas, or a
                part of the task was made outside the strategy's scope.
        """
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
        """
        data = self._batches(x, None, None, batch_size)
        with self._workers.this_process_alone():
            if data is None:
                return keras.Model.predict(self, x, batch_size, **kwargs)
            features = self.prepare_batches(data.inference(), predicting=True)
            outputs = keras.Model.predict(self, features, **kwargs)
        return data.restore_order(outputs)

    def preprocess_samples(self, x, y=None, sample_weight=None):
        """KerasHub's hook behind `train_on_batch` and its kin: one batch, tokenised here."""
        from keras_roberta.data.examples.batches import is_text

        if is_text(x):
            x = self.preprocessor(x)
            y = None if y is None else self.check_targets(np.asarray(y))
        return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)

    def check_targets(self, y):
        """Targets as this task's loss takes them, from a numpy array of labels.

        Raises:
            InputError: names the label that does not fit.
        """
        return y

    def prepare_batches(self, dataset, predicting=False):
        """A last step over batches of features, for tasks that make their own targets."""
        return dataset

    def _batches(self, x, y, sample_weight, batch_size):
        """The texts as a source of batches, or None where `x` does not hold texts."""
        # tf.data; here, so that the models themselves import without TensorFlow.
        from keras_roberta.data.examples.batches import text_batches

        if self.preprocessor is None:
            return None
        return text_batches(
            self.preprocessor,
            x,
            y,
            sample_weight,
            batch_size or 32,
            self.check_targets,
            # Each shape is compiled.
            bucket_lengths=self._compiles_each_shape,
        )

    def _validation_batches(self, validation_data, batch_size):
        if isinstance(validation_data, (tuple, list)):
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


def check_vocabulary(tokenizer, source):
    """Raises an InputError if the tokenizer has ids that the embedding has no row for."""
    largest = max(tokenizer.vocabulary.values())
    if largest >= source.config.vocabulary_size:
        raise InputError(
            f"{source.directory}: the tokenizer's largest id is {largest}, but config.json has a "
            f"vocabulary of {source.config.vocabulary_size}; they are not of one model"
        )


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
