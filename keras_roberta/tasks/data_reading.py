"""What `fit`, `evaluate` and `predict` are given, as batches of token ids."""

import contextlib
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_roberta.data.examples.examples import checked_weights
from keras_roberta.data.examples.streams import is_stream, open_stream
from keras_roberta.data.examples.text_forms import holds_strings
from keras_roberta.data.examples.token_rows import check_rows, check_token_features
from keras_roberta.errors import InputError
from keras_roberta.tasks.class_losses import is_of_keras
from keras_roberta.tasks.label_specs import check_label_spec
from keras_roberta.tasks.multi_worker_fit import MultiWorkerFit


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


class DataReading(MultiWorkerFit):
    """Mixed into a KerasHub task, before it in the bases.

    It asks the task to `make_examples`, whether data is what that takes (`needs_tokenizing`),
    whether it `learns_from_labels`, which part of data are labels (`labels_apart`,
    `without_labels`), to `check_targets` and to `prepare_batches`.
    """

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
        as_a_whole=False,
        steps=None,
    ):
        """What was given, as `Inputs`.

        Args:
            labelled: whether labels are read, or left out.
            class_factors: see `Schema.class_factors`.
            seed: of the order of a PyDataset's batches; None to keep it.
            as_a_whole: whether a generator is read before anything else is done, since it is run
                through more than once; else bit by bit.
            steps: the most batches to read then; None for all.
        """
        of_stream = is_stream(x)
        if of_stream:
            if labelled:  # predict is for each worker by itself
                self._workers.check_not_a_generator(x)
            x = open_stream(x, batch_size or 32, seed=seed)
            if as_a_whole and getattr(x, "read_once", False):
                x = x.collected(steps)
            takes = hasattr(x, "read_once")
            if takes and self.preprocessor is None:
                raise no_preprocessor()
        else:
            if labelled and y is None and self._reads_labels:
                x, y, sample_weight = self._labels_apart(x, sample_weight)
            takes = self._takes_as_texts(x)
        if not takes:
            return Inputs(None, *self._of_tokenised(x, y, sample_weight, batch_size, labelled))
        # tf.data; here, since it is slow to import and not every use of a model needs it.
        from keras_roberta.data.examples.batches import example_batches

        if labelled:
            make_examples = functools.partial(self._examples, class_factors)
        else:
            make_examples = self._examples_of_texts_alone
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
        x = self._checked_features(x)
        if labelled and y is None and not self.learns_from_labels:
            # The task makes its targets of the ids.
            if isinstance(x, Mapping):
                import tensorflow as tf

                x = tf.data.Dataset.from_tensor_slices(x).batch(batch_size or 32)
            if isinstance(getattr(x, "element_spec", None), Mapping):
                x = self.prepare_batches(x)
        elif self.schema_cls is not None and self.learns_from_labels:
            spec = getattr(x, "element_spec", None)
            if labelled and isinstance(spec, tuple) and len(spec) > 1:
                rank = len(self.outputs[0].shape) if len(self.outputs) == 1 else None
                check_label_spec(spec[1], self.loss, rank)
            # A loss of one's own may take what it likes.
            if y is not None and (holds_strings(y) or is_of_keras(self.loss)):
                y = self.check_targets(y)
            sample_weight = None if sample_weight is None else checked_weights(sample_weight)
        return x, y, sample_weight

    def _checked_features(self, x):
        """Token ids that are at hand as arrays that the encoder has a place for; else as it was."""
        if not isinstance(x, Mapping) or "token_ids" not in x:
            return x
        x = {name: _as_array(name, values) for name, values in x.items()}
        config = self.backbone.config
        check_token_features(
            x,
            vocabulary_size=config.vocabulary_size,
            max_sequence_length=config.max_sequence_length,
            pad_token_id=config.pad_token_id,
            axes=len(self.input["token_ids"].shape),
        )
        return x

    def _checked_examples(self, x, y=None, sample_weight=None):
        """`make_examples`, of tokens that the encoder has embeddings for."""
        examples = self.make_examples(x, y, sample_weight)
        check_rows(examples.token_ids, self.backbone.config.vocabulary_size)
        return examples

    def _examples_of_texts_alone(self, x, *_):
        """`make_examples` of what is asked, without labels that come along."""
        return self._checked_examples(self.without_labels(x))

    def _labels_apart(self, x, sample_weight):
        """As `labels_apart`; weights that were given apart stay."""
        x, y, own = self.labels_apart(x)
        return x, y, own if sample_weight is None else sample_weight

    def _takes_as_texts(self, x):
        """Whether `x`, in memory, is for `make_examples`."""
        if self.preprocessor is not None:
            return self.needs_tokenizing(x)
        if holds_strings(x):
            raise no_preprocessor()
        return False

    def _examples(self, class_factors, x, y, sample_weight):
        """`make_examples` of what is learnt from or measured with."""
        if y is None and self._reads_labels:
            x, y, sample_weight = self._labels_apart(x, sample_weight)
        if not self.learns_from_labels:
            y = sample_weight = None
        examples = self._checked_examples(x, y, sample_weight)
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

    def _balanced_factors(self, data, y):
        """See `Schema.balanced_factors`.

        Args:
            data: texts as a source of batches, or None.
            y: labels of what is tokenised already.
        """
        targets = y if data is None else data.targets
        if targets is None:
            raise InputError(
                'class_weight="balanced" counts labels in memory; give a dict of factors'
            )
        return self.schema.balanced_factors(targets)


def errors_of(data):
    """A context in which what an input of a stream was refused with is raised as it is."""
    if hasattr(data, "errors_of_inputs"):
        return data.errors_of_inputs()
    return contextlib.nullcontext()


def by_number(class_weight, factors):
    """Class weights as Keras takes them."""
    return class_weight if factors is None else dict(enumerate(factors.tolist()))


def no_preprocessor() -> InputError:
    """What to raise where texts come and there is nothing to tokenize them with."""
    return InputError(
        "the task has no preprocessor to tokenize texts; make it with one, or give a dict of "
        "token_ids and padding_mask"
    )


def _as_array(name, values):
    """A feature that is given as lists as an array."""
    if not isinstance(values, (list, tuple)):
        return values
    try:
        return np.asarray(values)
    except ValueError:
        raise InputError(f"{name}: the rows differ in length; pad them") from None
