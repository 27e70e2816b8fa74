"""Layers of RoBERTa, in `keras.ops` alone: they run on every Keras backend."""

from keras_roberta.layers.attention import RobertaSelfAttention, attention_bias
from keras_roberta.layers.embeddings import RobertaEmbeddings, position_ids
from keras_roberta.layers.encoder import RobertaEncoder, RobertaEncoderBlock
from keras_roberta.layers.heads import (
    ClassificationHead,
    MaskedLMHead,
    PooledHead,
    SpanHead,
    TokenClassificationHead,
)
from keras_roberta.layers.rows_of_examples import OptionScores, RowsOfExamples

__all__ = [
    "ClassificationHead",
    "MaskedLMHead",
    "OptionScores",
    "PooledHead",
    "RobertaEmbeddings",
    "RobertaEncoder",
    "RobertaEncoderBlock",
    "RobertaSelfAttention",
    "RowsOfExamples",
    "SpanHead",
    "TokenClassificationHead",
    "attention_bias",
    "position_ids",
]
