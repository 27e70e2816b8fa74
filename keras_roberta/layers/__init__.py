"""Layers of RoBERTa, in `keras.ops` alone: they run on every Keras backend."""

from keras_roberta.layers.attention import RobertaSelfAttention
from keras_roberta.layers.attention import attention_bias
from keras_roberta.layers.embeddings import RobertaEmbeddings
from keras_roberta.layers.embeddings import position_ids
from keras_roberta.layers.encoder import RobertaEncoder
from keras_roberta.layers.encoder import RobertaEncoderBlock
from keras_roberta.layers.heads import ClassificationHead
from keras_roberta.layers.heads import MaskedLMHead
