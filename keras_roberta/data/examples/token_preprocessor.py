"""From texts or lists of words to rows of tokens, for tasks that label tokens."""

from __future__ import annotations

import keras
import numpy as np

from keras_roberta.data.examples import word_forms
from keras_roberta.data.examples.preprocessor import RobertaPreprocessor
from keras_roberta.data.examples.windows import Windows, cut_windows
from keras_roberta.tokenizers.offsets import tokens_in_bytes


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaTokenPreprocessor(RobertaPreprocessor):
    """Tokenises texts, or words joined by spaces, for tasks that label tokens.

    Args:
        tokenizer, sequence_length, labels: see `RobertaPreprocessor`. A longer text is no longer
            cut by a task: it is read in windows of `sequence_length`.
        labelled_pieces: "all" or "first": which pieces of a word a model learns the tag of.
        stride: how many tokens a window shares with the one before; at most half a window.

    Call arguments:
        x: see `data.examples.word_forms`. Called by itself the preprocessor cuts long texts.
    """

    settings = ("sequence_length", "labels", "labelled_pieces", "stride")

    def __init__(
        self,
        tokenizer=None,
        sequence_length=512,
        labels=None,
        labelled_pieces="all",
        stride=128,
        **kwargs,
    ):
        super().__init__(tokenizer, sequence_length, labels, **kwargs)
        self.labelled_pieces = labelled_pieces
        self.stride = stride

    def get_config(self):
        config = {**super().get_config(), "labelled_pieces": self.labelled_pieces}
        return {**config, "stride": self.stride}

    def tokenize(self, texts):
        return super().tokenize(word_forms.texts_and_words(texts)[0])

    def windows(self, texts: list[str]) -> tuple[Windows, list[np.ndarray]]:
        """The rows of texts of any length, and where in its UTF-8 the tokens of each text lie."""
        tokens = tokens_in_bytes(self.tokenizer, texts)
        windows = cut_windows(
            [ids for ids, _ in tokens],
            layout=self.tokenizer.special_token_layout,
            max_length=self.sequence_length,
            stride=self.stride,
        )
        return windows, [offsets for _, offsets in tokens]
