"""The texts that a tokenizer learns from, without special tokens."""

import re
from collections.abc import Iterable, Iterator

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.special_token_names import SPECIAL_TOKENS
from keras_roberta.tokenizers.texts import without_surrogates

_SPECIAL = re.compile("|".join(map(re.escape, SPECIAL_TOKENS)))


def stretches(texts: Iterable[str]) -> Iterator[str]:
    """The texts between special tokens, which encoding cuts out before it looks for others.

    Left in, frequent ones would be learnt as tokens and clash with the special tokens' ids. What is
    not Unicode in the texts is U+FFFD, as it is when they are encoded.

    Raises:
        InputError: they are a single string or something else, or there is no text.
    """
    if isinstance(texts, (str, bytes)):
        raise InputError("texts: expected many strings, found a single one")
    return _stretches(texts)


def _stretches(texts):
    empty = True
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"texts: expected strings, found {text!r:.80}")
        text, empty = without_surrogates(text), empty and not text
        yield from _SPECIAL.split(text) if "<" in text else (text,)
    if empty:
        raise InputError("texts: there is no text to learn from")
