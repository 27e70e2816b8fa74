"""Byte-level BPE in the TensorFlow graph, with the same ids as the host tokenizer."""

from keras_roberta.tokenizers.in_graph.batched import BatchedTokenizer
from keras_roberta.tokenizers.in_graph.static import StaticTokenizer
from keras_roberta.tokenizers.in_graph.unicode_classes import UNICODE_VERSION

__all__ = ["UNICODE_VERSION", "BatchedTokenizer", "StaticTokenizer"]
