"""Unigram models (Kudo 2018): "▁" stands for the space before a word.

Where a file has sentencepiece's character map it was made from a sentencepiece model, as XLM-R's;
such files are a kind of their own, which sentencepiece itself reads.
"""

import re

from keras_roberta.tokenizers.kinds.kind import Kind, model_type
from keras_roberta.tokenizers.unigram.unigram_model import (
    META_SPACE,
    normalizers_of,
    pre_tokenizers_of,
)

_BYTE = re.compile("<0x[0-9A-F]{2}>")


def _holds(content):
    return model_type(content) == "Unigram"


def _is_sentencepiece(content):
    """Whether the file has the parts that Transformers writes for a sentencepiece model.

    Texts have spaces put in front (Metaspace, always), and runs of spaces count as one: through
    `WhitespaceSplit`, or through a `Replace` of two and more spaces. All other files are read by
    the `tokenizers` library.
    """
    if not _holds(content) or content["model"].get("byte_fallback"):
        return False
    normalizers, splits = normalizers_of(content), pre_tokenizers_of(content)
    if not any(part.get("precompiled_charsmap") for part in normalizers):
        return False
    if not {part.get("type") for part in normalizers} <= {"Precompiled", "Replace", "Strip"}:
        return False
    replacing = [part for part in normalizers if part.get("type") == "Replace"]
    if not all(_joins_spaces(part) for part in replacing):
        return False
    kinds = [part.get("type") for part in splits]
    if kinds != ["WhitespaceSplit", "Metaspace"] and not (kinds == ["Metaspace"] and replacing):
        return False
    # Old files say `add_prefix_space`.
    always = splits[-1].get("prepend_scheme", "always") == "always"
    return always and splits[-1].get("add_prefix_space", True) is True


def _joins_spaces(replace):
    return replace.get("pattern") == {"Regex": " {2,}"} and replace.get("content") in (
        " ",
        META_SPACE,
    )


def _starts_word(token):
    return token.startswith(META_SPACE)


def _text_of(token):
    return token.replace(META_SPACE, " ")


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


_DECODER = {"type": "Metaspace", "replacement": META_SPACE}

UNIGRAM = Kind("Unigram", _holds, _starts_word, _text_of, decoder=_DECODER, needs=_needs)
SENTENCEPIECE = Kind(
    "SentencePiece", _is_sentencepiece, _starts_word, _text_of, decoder=_DECODER, needs=_needs
)
