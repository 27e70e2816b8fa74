"""Byte-level BPE inside the TensorFlow graph, equal to the host tokenizer on every string."""

from keras_roberta.tokenizers.in_graph.batched import BatchedTokenizer
from keras_roberta.tokenizers.in_graph.static import StaticTokenizer
from keras_roberta.tokenizers.in_graph.unicode_classes import UNICODE_VERSION

__all__ = ["UNICODE_VERSION", "BatchedTokenizer", "StaticTokenizer", "settings_of"]


def settings_of(tokenizer):
    """The arguments of either class that make it the equal of a host `RobertaTokenizer`."""
    return {
        "vocabulary": tokenizer.vocabulary,
        "merges": tokenizer.merges,
        "add_prefix_space": tokenizer.add_prefix_space,
        "start_id": tokenizer.start_token_id,
        "pad_id": tokenizer.pad_token_id,
        "end_id": tokenizer.end_token_id,
    }
