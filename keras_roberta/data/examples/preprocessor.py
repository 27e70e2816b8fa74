"""From strings to the two arrays that the encoder takes."""

import os
from collections.abc import Mapping
from typing import Any, Self

import keras
import numpy as np

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.data.examples.label_names import checked_names, class_numbers, flat_labels
from keras_roberta.data.examples.preprocess_in_graph import (
    features_in_graph,
    is_in_graph,
    numbers_in_graph,
)
from keras_roberta.data.examples.text_forms import texts_and_pairs
from keras_roberta.errors import InputError
from keras_roberta.options.option import Option
from keras_roberta.options.values import checked
from keras_roberta.tokenizers import open_tokenizer
from keras_roberta.unknown_arguments import refuse_unknown

# Rows are padded up to one of these, so that a compiled step meets a handful of shapes.
LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


def padded_length(longest, sequence_length):
    """The smallest of `LENGTHS`, then of multiples of 256, that holds `longest` tokens."""
    fitting = [length for length in LENGTHS if length >= longest]
    return min(fitting[0] if fitting else -(-longest // 256) * 256, sequence_length)


def _is_one_text(x):
    if isinstance(x, Mapping):
        x = x.get("text")
    elif isinstance(x, tuple) and len(x) == 2 and hasattr(x[0], "shape"):
        x, _ = x
    return isinstance(x, (str, bytes)) or getattr(x, "shape", None) == ()


_SEQUENCE_LENGTH = Option("", at_least=3)
_OF_KERAS = ("name", "trainable", "dtype")  # every layer's


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaPreprocessor(keras.layers.Layer):
    """Tokenises, truncates and pads texts for the encoder, on the host.

    Args:
        tokenizer: a tokenizer of any kind; see `tokenizers.Tokenizer`.
        sequence_length: longest row in tokens, specials included; longer texts are cut, of a pair
            the longer side first.
        labels: names of the classes in the order of their numbers, or None.

    Call arguments:
        x: texts, in any form that `fit` takes in memory. Of one string there is one row, without
            the axis of the batch. Or tensors of a graph, as in `dataset.map(preprocessor)`: a
            string or a batch of strings, a pair of them, or a dict of `text` and `text_pair`.
        y, sample_weight: are passed on; names of `labels` as their numbers.

    Returns:
        dict of `token_ids` and `padding_mask`, int32 numpy (batch, length), padded to the longest
        row rounded up to one of `LENGTHS`; of one string (sequence_length,), and in a graph tensors
        (batch, sequence_length). With `y` a tuple of it, `y` and `sample_weight`.
    """

    settings = ("sequence_length", "labels")  # arguments that a preset keeps

    def __init__(self, tokenizer=None, sequence_length=512, labels=None, **kwargs):
        refuse_unknown(type(self).__name__, kwargs, ("tokenizer", *self.settings, *_OF_KERAS))
        super().__init__(**{"trainable": False, **kwargs})
        self.built = True  # it has no weights; Keras's `quantize` asks
        self.tokenizer = tokenizer
        self.sequence_length = checked("sequence_length", int, _SEQUENCE_LENGTH, sequence_length)
        self.labels = checked_names(labels, None)

    @classmethod
    def from_preset(cls, preset: str | os.PathLike, **kwargs: Any) -> Self:
        """The preprocessor of a checkpoint: its tokenizer, its sequence length and its labels.

        Args:
            preset: as for a task's `from_preset`.
            **kwargs: other values for arguments of the constructor. A `sequence_length` beyond the
                model's positions is cut to them.

        Raises:
            InputError: names the file or argument that is wrong.
        """
        refuse_unknown(f"{cls.__name__}.from_preset", kwargs, ("tokenizer", *cls.settings))
        source = open_checkpoint(preset)
        saved = source.preprocessor_settings()
        arguments = {name: saved[name] for name in cls.settings if name in saved} | kwargs
        longest = source.config.max_sequence_length
        arguments["sequence_length"] = min(arguments.get("sequence_length") or longest, longest)
        if arguments.get("tokenizer") is None:
            arguments["tokenizer"] = source.tokenizer()
        return cls(**arguments)

    def __call__(self, x, y=None, sample_weight=None):
        one = _is_one_text(x)
        features = self.batch_of(x)
        if one:  # of one length, so that rows can be put into batches
            features = {name: self._row(name, array[0]) for name, array in features.items()}
        y = None if y is None else self._numbers(y, one)
        return keras.utils.pack_x_y_sample_weight(features, y, sample_weight)

    def _row(self, name, array):
        if isinstance(array, np.ndarray) and name in ("token_ids", "padding_mask"):
            fill = self.tokenizer.pad_token_id if name == "token_ids" else 0
            room = self.sequence_length - len(array)
            return np.pad(array, (0, room), constant_values=fill)
        return array

    def _numbers(self, y, one):
        """Labels as class numbers, where they are names of classes."""
        if is_in_graph(y):
            return y if y.dtype.name != "string" else numbers_in_graph(y, self._names())
        labels = flat_labels(y)
        if not all(isinstance(label, str) for label in labels):
            return y
        numbers = class_numbers(labels, len(self._names()), self._names())
        return numbers[0] if one else numbers

    def _names(self):
        if not self.labels:
            raise InputError("the labels are names: give the preprocessor labels=[...]")
        return self.labels

    def batch_of(self, x):
        """The features of texts, one of which makes a batch of one row."""
        if is_in_graph(x):
            return features_in_graph(self.tokenizer, x, self.sequence_length)
        return self.pad(*self.tokenize(x))

    def tokenize(self, texts):
        """Token ids with specials, cut to `sequence_length`, before padding.

        Returns:
            all ids, int32 (total), and the length of each row, int64 (batch).
        """
        firsts, seconds = texts_and_pairs(texts)
        return self.tokenizer.encode_ragged(firsts, seconds, max_length=self.sequence_length)

    def pad(self, values, row_lengths, bucket_lengths=True):
        """Ragged token ids as the encoder's inputs.

        Args:
            bucket_lengths: pad to one of `LENGTHS`; else to the longest row, which is less work
                where nothing is compiled for each shape.
        """
        length = int(row_lengths.max(initial=2))
        if bucket_lengths:
            length = padded_length(length, self.sequence_length)
        mask = np.arange(length) < row_lengths[:, None]  # (batch, length)
        token_ids = np.full(mask.shape, self.tokenizer.pad_token_id, "int32")
        token_ids[mask] = values
        return {"token_ids": token_ids, "padding_mask": mask.astype("int32")}

    def get_config(self):
        return {
            "name": self.name,
            "sequence_length": self.sequence_length,
            "labels": self.labels and list(self.labels),
        }

    # Keras calls the first two for `.keras` files, KerasHub the third for presets.

    def save_assets(self, directory):
        self.tokenizer.save(directory, model_max_length=self.sequence_length)

    def load_assets(self, directory):
        self.tokenizer = open_tokenizer(directory)

    def save_to_preset(self, preset_dir):
        directory = f"{preset_dir}/assets/tokenizer"
        self.tokenizer.save(directory, model_max_length=self.sequence_length)

    # KerasHub calls these where one of its base classes, such as `keras_hub.models.TextClassifier`,
    # opens a preset of ours: of a task, and of an encoder alone.

    def load_preset_assets(self, preset):
        self.tokenizer = open_tokenizer(preset)

    @classmethod
    def _add_missing_kwargs(cls, loader, kwargs):
        made = cls.from_preset(loader.preset, **kwargs)
        return {"tokenizer": made.tokenizer, **made.get_config()}
