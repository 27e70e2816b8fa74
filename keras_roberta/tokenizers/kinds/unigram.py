"""SentencePiece's Unigram (Kudo 2018), as XLM-R has it: "▁" stands for the space before a word."""

import re

from keras_roberta.tokenizers.kinds.kind import Kind, model_type

_SPACE = "▁"  # U+2581
_BYTE = re.compile("<0x[0-9A-F]{2}>")


def _holds(content):
    return model_type(content) == "Unigram"


def _starts_word(token):
    return token.startswith(_SPACE)


def _text_of(token):
    return token.replace(_SPACE, " ")


def _needs(model, tokens, characters):
    """Single characters, bytes where the model falls back on them, and a token of the least score.

    Of all ways to cut a text the one of the highest score is taken; it is the highest among fewer
    ways too. What stands for an unknown character has the least score of all tokens less a number.
    """
    vocabulary = model["vocab"]
    least, _ = min(vocabulary, key=lambda pair: pair[1])
    used = None if characters == "all" else {letter for token in tokens for letter in token}
    needed = {least}
    for token, _ in vocabulary:
        if len(token) == 1 and (used is None or token in used):
            needed.add(token)
        elif model.get("byte_fallback") and _BYTE.fullmatch(token):
            needed.add(token)
    return needed


_DECODER = {"type": "Metaspace", "replacement": _SPACE}

UNIGRAM = Kind("Unigram", _holds, _starts_word, _text_of, decoder=_DECODER, needs=_needs)
