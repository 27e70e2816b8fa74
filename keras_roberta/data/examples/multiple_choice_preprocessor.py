"""Questions with options as the arrays that the encoder takes."""

from collections.abc import Mapping

import keras
import numpy as np

from keras_roberta.data.examples.choices import CHOICES, CONTEXT, QUESTION, read_choices
from keras_roberta.data.examples.examples import Examples
from keras_roberta.data.examples.preprocess_in_graph import features_in_graph, is_in_graph
from keras_roberta.data.examples.preprocessor import RobertaPreprocessor
from keras_roberta.data.examples.ragged import Ragged
from keras_roberta.errors import InputError


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaMultipleChoicePreprocessor(RobertaPreprocessor):
    """As `RobertaPreprocessor`, for questions with options.

    A row of the encoder's input is a question with one of its options; see `Choices.pairs`.

    Args:
        tokenizer, sequence_length: as of `RobertaPreprocessor`.

    Call arguments:
        x: questions, in any form that `fit` takes in memory. Of a single one there is no axis of
            the batch. Or tensors of a graph, as in `dataset.map(preprocessor)`: a dict or tuple of
            `question`, a string or (batch), and `choices`, (options) or (batch, options), or of
            their other names; empty options are not there. A graph takes no context.
        y, sample_weight: are passed on.

    Returns:
        dict of `token_ids` and `padding_mask`, int32 (batch, options, length). A question with
        fewer options than others of its batch has rows of padding in their place.
    """

    settings = ("sequence_length",)

    def __init__(self, tokenizer=None, sequence_length=512, **kwargs):
        super().__init__(tokenizer, sequence_length, **kwargs)

    def __call__(self, x, y=None, sample_weight=None):
        features = self.batch_of(x)
        if _is_one(x):
            features = {name: array[0] for name, array in features.items()}
        return keras.utils.pack_x_y_sample_weight(features, y, sample_weight)

    def batch_of(self, x):
        if is_in_graph(tuple(x.values()) if isinstance(x, Mapping) else x):
            return self._in_graph(*_sides_in_graph(x))
        examples = self.examples_of(read_choices(x))
        return examples.batch(np.arange(examples.num_units))

    def examples_of(self, choices, **columns):
        """The `Examples` of a `Choices`; for `columns` see there."""
        return Examples(
            self,
            Ragged(*self.tokenize(choices.pairs())),
            rows_per_example=choices.counts,
            keep_rows_together=True,
            **columns,
        )

    def _in_graph(self, questions, options):
        import tensorflow as tf

        options = options[None] if questions.shape.rank == 0 else options  # (batch, options)
        shape = tf.shape(options)
        firsts = tf.repeat(tf.reshape(questions, [-1]), shape[1])
        seconds = tf.reshape(options, [-1])
        features = features_in_graph(self.tokenizer, (firsts, seconds), self.sequence_length)
        is_there = tf.cast(seconds != "", tf.int32)[:, None]
        ids = features["token_ids"] * is_there + self.tokenizer.pad_token_id * (1 - is_there)
        features = {"token_ids": ids, "padding_mask": features["padding_mask"] * is_there}
        return {
            name: tf.reshape(rows, tf.concat([shape, [self.sequence_length]], 0))
            for name, rows in features.items()
        }

    def get_config(self):
        return {"name": self.name, "sequence_length": self.sequence_length}


def _sides(x):
    """Questions and options, where they have names or places, or None."""
    if isinstance(x, Mapping):
        return tuple(
            next((x[name] for name in names if name in x), None) for names in (QUESTION, CHOICES)
        )
    return x if isinstance(x, tuple) and len(x) == 2 else (None, None)


def _sides_in_graph(x):
    questions, options = _sides(x)
    if questions is None or options is None:
        names = ", ".join(map(repr, x)) if isinstance(x, Mapping) else type(x).__name__
        raise InputError(f"expected tensors 'question' and 'choices' in a graph; found {names}")
    context = next((n for n in CONTEXT if n in x), None) if isinstance(x, Mapping) else None
    if context is not None:
        raise InputError(
            f"{context!r}: a context is not read in a graph; give the task the dataset without "
            "mapping the preprocessor over it"
        )
    return questions, options


def _is_one(x):
    question, _ = _sides(x)
    return isinstance(question, (str, bytes)) or getattr(question, "shape", None) == ()
