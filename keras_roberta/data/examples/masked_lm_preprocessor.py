"""Strings for masked language modelling."""

import keras
import numpy as np
import tensorflow as tf

from keras_roberta.data.examples.preprocess_in_graph import is_in_graph
from keras_roberta.data.examples.preprocessor import RobertaPreprocessor
from keras_roberta.data.masking import arguments_of, mask_tokens
from keras_roberta.errors import InputError


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaMaskedLMPreprocessor(RobertaPreprocessor):
    """As `RobertaPreprocessor`; hides tokens to train on, finds `<mask>` to predict.

    Args:
        mask_rate: share of the tokens to predict.
        mask_token_rate: share of these that become `<mask>`.
        random_token_rate: share of these that become another token; the rest stay as they are.
        Others: as `RobertaPreprocessor`.

    Call arguments:
        x, y, sample_weight: see `RobertaPreprocessor`.

    Returns:
        dict of `token_ids`, `padding_mask` and `mask_positions`, int32 (batch, most masks in a
        row): where `<mask>` stands in the texts, 0 where a row has fewer.
    """

    settings = ("sequence_length", "mask_rate", "mask_token_rate", "random_token_rate")

    def __init__(
        self,
        tokenizer=None,
        sequence_length=512,
        mask_rate=0.15,
        *,
        mask_token_rate=0.8,
        random_token_rate=0.1,
        **kwargs,
    ):
        super().__init__(tokenizer, sequence_length, **kwargs)
        if not 0 < mask_rate <= 1:
            raise InputError(f"mask_rate must be in (0, 1]; got {mask_rate}")
        rates = mask_token_rate, random_token_rate
        if min(rates) < 0 or sum(rates) > 1:
            raise InputError(
                "mask_token_rate, random_token_rate: expected shares of at most 1 in all; got "
                f"{rates}"
            )
        self.mask_rate = mask_rate
        self.mask_token_rate, self.random_token_rate = rates

    def batch_of(self, x):
        features = self.find_masks(super().batch_of(x))
        if is_in_graph(x):
            return features
        return {name: np.asarray(array) for name, array in features.items()}

    def count_masks(self, features):
        """The most `<mask>` in a row of a batch; at least 1."""
        is_mask = tf.cast(features["token_ids"] == self.tokenizer.mask_token_id, tf.int32)
        return tf.maximum(tf.reduce_max(tf.reduce_sum(is_mask, axis=1)), 1)

    def find_masks(self, features, width=None):
        """Adds `mask_positions`, int32 (batch, width), to a batch of features."""
        is_mask = tf.cast(features["token_ids"] == self.tokenizer.mask_token_id, tf.int32)
        width = self.count_masks(features) if width is None else width
        found, positions = tf.math.top_k(is_mask, k=width)  # of equals the first comes first
        return {**features, "mask_positions": positions * found}

    def mask(self, features):
        """A batch of features as (inputs, true ids, weights): hides other tokens at every call."""
        token_ids = tf.cast(features["token_ids"], tf.int32)
        length = tf.shape(token_ids)[1]
        if "padding_mask" not in features:
            is_token = token_ids != self.tokenizer.pad_token_id
            features = {**features, "padding_mask": tf.cast(is_token, tf.int32)}
        maskable = tf.cast(features["padding_mask"], tf.bool)
        for special in self.tokenizer.special_token_ids:
            maskable &= token_ids != special
        masked, positions, labels, weights = mask_tokens(
            token_ids,
            maskable,
            # As many columns as the rounding up of a full row can ask for.
            num_predictions=tf.cast(self.mask_rate * tf.cast(length, tf.float32), tf.int32) + 1,
            mask_rate=self.mask_rate,
            mask_token_rate=self.mask_token_rate,
            random_token_rate=self.random_token_rate,
            **arguments_of(self.tokenizer),
        )
        return {**features, "token_ids": masked, "mask_positions": positions}, labels, weights

    def get_config(self):
        config = {**super().get_config(), **{name: getattr(self, name) for name in self.settings}}
        del config["labels"]
        return config
