"""Text to ids and back."""

from keras_roberta.tokenizers.roberta_tokenizer import RobertaTokenizer

__all__ = ["RobertaTokenizer"]
