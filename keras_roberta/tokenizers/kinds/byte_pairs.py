"""GPT-2's and RoBERTa's kind: byte-level BPE."""

from keras_roberta.tokenizers.kinds.kind import Kind, model_type
from keras_roberta.tokenizers.spelling import token_bytes

_SPACE = ("Ġ", "Ċ", "ĉ", "č")  # space, line feed, tab, carriage return as byte letters


def _holds(content):
    return model_type(content) == "BPE"


def _starts_word(token):
    return token.startswith(_SPACE)  # as fairseq's `mask_whole_words`


def _text_of(token):
    try:
        return token_bytes(token).decode()
    except UnicodeDecodeError:
        return None


BYTE_LEVEL_BPE = Kind("byte-level BPE", _holds, _starts_word, _text_of)
