"""`predict` on raw strings: rows come back in the order of the texts."""

import keras
import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.tasks.data_reading import DataReading, errors_of
from keras_roberta.tasks.number_arguments import check_numbers
from keras_roberta.unknown_arguments import argument_names, refuse_unknown


class Prediction(DataReading):
    """Mixed into a KerasHub task, before it in the bases.

    Attributes:
        outputs_per_token: whether the outputs are (rows, length, ...); `predict` then cuts those
            of padding off. A task with a schema has it from there.
    """

    outputs_per_token = False

    def predict(self, x, batch_size=None, **kwargs):
        """`keras.Model.predict` on raw strings; rows come back in the order of `x`.

        With several workers each predicts for itself: one may call it without the others.

        Args:
            x: see `fit`. Labels that come along are left out: numbers, and second texts that are
                all names of the preprocessor's `labels`, but for a column `text_pair`.

        Returns:
            array (rows, ...); a list of arrays where outputs differ in length: one a token, or
            one an option of a question
        """
        check_numbers(batch_size=batch_size, **kwargs)
        refuse_unknown("predict", kwargs, argument_names(Prediction.predict, keras.Model.predict))
        data, x, *_ = self._read(
            *(x, None, None, batch_size),
            labelled=False,
            as_a_whole=True,
            steps=kwargs.get("steps"),
        )
        with self._workers.this_process_alone(), errors_of(data):
            if data is None:
                return keras.Model.predict(self, x, batch_size, **kwargs)
            if data.examples is None and self._joins_rows:  # of a stream: batch by batch
                parts = [self._predict_source(part, **kwargs) for part in data.in_memory()]
                return [output for part in parts for output in part]
            return self._predict_source(data, **kwargs)

    @property
    def _joins_rows(self):
        return type(self).join_rows is not Prediction.join_rows

    def _predict_source(self, data, **kwargs):
        features = self.prepare_batches(data.inference(), predicting=True)
        if self.outputs_per_token or data.rows_together:
            for name in ("callbacks", "steps"):
                if kwargs.get(name) is not None:
                    raise InputError(
                        f"{name}: predict does not take it where outputs differ in length; leave "
                        "it out"
                    )
            outputs = self._predict_ragged(features)
        else:
            outputs = keras.Model.predict(self, features, **kwargs)
        outputs = data.restore_order(outputs)
        return self.join_rows(outputs, data.examples) if self._joins_rows else outputs

    def _predict_ragged(self, batches):
        """Outputs that differ in length, without those of padding: a list of arrays."""
        rows = []
        for features in batches:
            outputs = keras.ops.convert_to_numpy(self.predict_on_batch(features))
            masks = np.asarray(features["padding_mask"], bool)
            if masks.ndim == 3:  # of rows that stay together: those with a token
                masks = masks.any(axis=2)
            rows += [row[kept] for row, kept in zip(outputs, masks, strict=True)]
        return rows

    def join_rows(self, outputs, examples):
        """Outputs of rows as those of examples; for tasks whose examples have several rows.

        Args:
            outputs: array (rows, ...) or list of arrays, in the order of the rows.
            examples: the `Examples` they belong to; see `Examples.by_example`.
        """
        return outputs
