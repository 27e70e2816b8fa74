"""Whole words: a table of them, and one id for all others."""

from keras_roberta.tokenizers.kinds.kind import Kind, model_type


def _holds(content):
    return model_type(content) == "WordLevel"


def _starts_word(token):
    return True


def _text_of(token):
    return token


# Of Russian and Greek words it takes twelve, of longer ones and of Hindi twice that.
WORDS = Kind("words", _holds, _starts_word, _text_of, bytes_per_token=24)
