"""GPT-2's and RoBERTa's kind: byte-level BPE."""

from keras_roberta.tokenizers.kinds.kind import Kind, model_type
from keras_roberta.tokenizers.spelling import byte_alphabet, token_bytes

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


def _needs(model, tokens, characters):
    """All bytes, and the tokens on the way from its bytes to each token.

    Merges never cross the borders of a token that comes out. So within a text it is built by the
    merges that build it when it stands alone, and those are all that a text needs.
    """
    ranks = {tuple(merge): rank for rank, merge in enumerate(model["merges"])}  # the last counts
    needed = set(byte_alphabet())
    for token in tokens:
        parts = list(token)
        while True:
            pairs = zip(parts, parts[1:], strict=False)
            known = [(ranks[pair], i) for i, pair in enumerate(pairs) if pair in ranks]
            if not known:
                break
            _, i = min(known)
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
            needed.add(parts[i])
    return needed


BYTE_LEVEL_BPE = Kind("byte-level BPE", _holds, _starts_word, _text_of, needs=_needs)
