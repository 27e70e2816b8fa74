"""Single steps on raw strings: `train_on_batch`, `test_on_batch`, `predict_on_batch`."""

from collections.abc import Mapping

import keras
import numpy as np

from keras_roberta.data.examples.streams import is_stream
from keras_roberta.errors import InputError
from keras_roberta.tasks.data_reading import DataReading, by_number


class SingleBatches(DataReading):
    """Mixed into a KerasHub task, before it in the bases."""

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, **kwargs):
        """`keras.Model.train_on_batch` on raw strings; see `fit` for the forms of `x`."""
        factors = self._class_factors(class_weight)
        batch = self._single_batch(x, y, sample_weight, factors)
        if class_weight is not None and (factors is None or not self._takes_as_texts(x)):
            kwargs["class_weight"] = by_number(class_weight, factors)
            x, y, sample_weight = batch
            batch = x, keras.ops.convert_to_numpy(y), sample_weight  # which Keras asks for here
        return keras.Model.train_on_batch(self, *batch, **kwargs)

    def test_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        """`keras.Model.test_on_batch` on raw strings; see `fit` for the forms of `x`."""
        return keras.Model.test_on_batch(self, *self._single_batch(x, y, sample_weight), **kwargs)

    def predict_on_batch(self, x):
        """`keras.Model.predict_on_batch` on raw strings; see `predict` for the forms of `x`."""
        refuse_stream("predict", x)
        x, *_ = keras.utils.unpack_x_y_sample_weight(self.preprocess_samples(x))
        return keras.Model.predict_on_batch(self, _as_tensors(x))

    def preprocess_samples(self, x, y=None, sample_weight=None):
        """KerasHub's hook: one batch, tokenised here."""
        if not self._takes_as_texts(x):
            return keras.utils.pack_x_y_sample_weight(self._checked_features(x), y, sample_weight)
        if y is None:
            return self._one_batch(self._examples_of_texts_alone(x))
        return self._one_batch(self._checked_examples(x, y, sample_weight))

    def _single_batch(self, x, y, sample_weight, class_factors=None):
        """x, y and sample_weight of a step, as tensors."""
        refuse_stream("fit or evaluate", x)
        if y is None and self._reads_labels:
            x, y, sample_weight = self._labels_apart(x, sample_weight)
        if self._takes_as_texts(x):
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(
                self._one_batch(self._examples(class_factors, x, y, sample_weight))
            )
        elif isinstance(x, Mapping) and y is not None:
            x, y, sample_weight = self._of_tokenised(x, y, sample_weight)
        else:
            x = self._checked_features(x)
        return _as_tensors(x), _as_tensors(y), _as_tensors(sample_weight)

    @staticmethod
    def _one_batch(examples):
        batch = examples.batch(np.arange(examples.num_units))
        return batch if isinstance(batch, tuple) else (batch,)


def refuse_stream(method, x):
    """Raises an InputError where a single batch is asked for and a stream was given."""
    if is_stream(x):
        raise InputError(f"expected one batch, found a {type(x).__name__}; give it to {method}")


def _as_tensors(tree):
    return None if tree is None else keras.tree.map_structure(keras.ops.convert_to_tensor, tree)
