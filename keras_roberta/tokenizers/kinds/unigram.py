"""SentencePiece's Unigram (Kudo 2018), as XLM-R has it: "▁" stands for the space before a word."""

from keras_roberta.tokenizers.kinds.kind import Kind, model_type

_SPACE = "▁"  # U+2581


def _holds(content):
    return model_type(content) == "Unigram"


def _starts_word(token):
    return token.startswith(_SPACE)


def _text_of(token):
    return token.replace(_SPACE, " ")


_DECODER = {"type": "Metaspace", "replacement": _SPACE}

UNIGRAM = Kind("Unigram", _holds, _starts_word, _text_of, decoder=_DECODER)
