"""Strings for an embedder: each text is a row, with a prefix in front of it."""

import keras

from keras_roberta.data.examples.preprocess_in_graph import features_in_graph, is_in_graph
from keras_roberta.data.examples.preprocessor import RobertaPreprocessor
from keras_roberta.data.examples.text_forms import texts_and_pairs
from keras_roberta.errors import InputError
from keras_roberta.options import OptionError


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaTextEmbedderPreprocessor(RobertaPreprocessor):
    """As `RobertaPreprocessor`, for single texts, with a prefix in front of each.

    Args:
        prefix: in front of every text, such as "query: " where the model was trained so.
        corpus_prefix: put in front of second texts, negatives and texts that are searched, in
            place of `prefix`, such as "passage: "; None for the same prefix.
        Others: as `RobertaPreprocessor`.

    Call arguments:
        x: texts, or tensors of a graph; see `RobertaPreprocessor`.
    """

    settings = ("sequence_length", "prefix", "corpus_prefix")

    def __init__(
        self, tokenizer=None, sequence_length=512, prefix="", corpus_prefix=None, **kwargs
    ):
        super().__init__(tokenizer, sequence_length, **kwargs)
        self.prefix, self.corpus_prefix = prefix or "", corpus_prefix
        for name in ("prefix", "corpus_prefix"):
            if not isinstance(getattr(self, name), str | None):
                raise OptionError(name, f": expected text; got {getattr(self, name)!r:.60}")

    def batch_of(self, x):
        if not is_in_graph(x):
            return self.pad(*self.tokenize(x))
        import tensorflow as tf

        if isinstance(x, tuple):
            raise _not_pairs()
        texts = x["text"] if isinstance(x, dict) else x
        return features_in_graph(
            self.tokenizer, tf.strings.join([self.prefix, texts]), self.sequence_length
        )

    def tokenize(self, texts):
        firsts, seconds = texts_and_pairs(texts)
        if seconds is not None:
            raise _not_pairs()
        return self.tokenize_columns([firsts])

    def tokenize_columns(self, columns, *, of_corpus=False):
        """Token ids of the rows of one or more columns, before padding.

        Args:
            columns: lists of texts of one length; those behind the first have `corpus_prefix`.
            of_corpus: whether the first one has it, too.

        Returns:
            see `tokenize`; the rows are the texts of the first group, of the second and so on.
        """
        of_others = self.prefix if self.corpus_prefix is None else self.corpus_prefix
        prefixes = [of_others if of_corpus else self.prefix] + [of_others] * (len(columns) - 1)
        rows = [
            prefix + text
            for group in zip(*columns, strict=True)
            for prefix, text in zip(prefixes, group, strict=True)
        ]
        return self.tokenizer.encode_ragged(rows, None, max_length=self.sequence_length)

    def get_config(self):
        config = {**super().get_config(), **{name: getattr(self, name) for name in self.settings}}
        del config["labels"]
        return config


def _not_pairs():
    return InputError("an embedder takes texts one by one; give the sides of a pair apart")
