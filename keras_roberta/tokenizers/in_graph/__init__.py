"""Tokenizers in the TensorFlow graph, with the same ids as those of the host."""

from keras_roberta.tokenizers.in_graph.batched import BatchedTokenizer
from keras_roberta.tokenizers.in_graph.static import StaticTokenizer
from keras_roberta.tokenizers.in_graph.unicode_classes import UNICODE_VERSION
from keras_roberta.tokenizers.in_graph.unigram_tokenizers import (
    BatchedUnigramTokenizer,
    StaticUnigramTokenizer,
)
from keras_roberta.tokenizers.in_graph.word_level_tokenizers import (
    BatchedWordLevelTokenizer,
    StaticWordLevelTokenizer,
)

__all__ = [
    "UNICODE_VERSION",
    "BatchedTokenizer",
    "BatchedUnigramTokenizer",
    "BatchedWordLevelTokenizer",
    "StaticTokenizer",
    "StaticUnigramTokenizer",
    "StaticWordLevelTokenizer",
]
