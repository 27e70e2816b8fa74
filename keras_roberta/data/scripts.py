"""The script that each token is written in."""

import functools
import unicodedata

import numpy as np
from tokenizers import pre_tokenizers

from keras_roberta.data.shards import NO_LABEL

SCRIPTS = (
    "other",  # digits, punctuation, white space
    "latin",
    "cyrillic",
    "greek",
    "arabic",
    "hebrew",
    "devanagari",
    "bengali",
    "tamil",
    "thai",
    "georgian",
    "armenian",
    "cjk",
    "hiragana",
    "katakana",
    "hangul",
)


def token_scripts(tokenizer):
    """uint8 (vocabulary_size,): a token's place in `SCRIPTS`, that of its first letter.

    `NO_LABEL` for special tokens, for letters of other scripts and for tokens that hold a part of
    a character only.
    """
    byte_of = _byte_letters()
    scripts = np.full(tokenizer.vocabulary_size, NO_LABEL, np.uint8)
    specials = tokenizer.special_token_ids
    for token, index in tokenizer.vocabulary.items():
        if index not in specials:
            scripts[index] = _script(bytes(byte_of[letter] for letter in token))
    return scripts


def _script(token):
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return NO_LABEL
    letters = [letter for letter in text if letter.isalpha()]
    if not letters:
        return 0
    # The names of letters begin with their script's: "CYRILLIC SMALL LETTER A".
    name = unicodedata.name(letters[0], "").partition(" ")[0].lower()
    return SCRIPTS.index(name) if name in SCRIPTS else NO_LABEL


@functools.cache
def _byte_letters():
    """{letter: byte} of GPT-2's spelling of bytes (Radford et al. 2019, `bytes_to_unicode`)."""
    letters = pre_tokenizers.ByteLevel.alphabet()
    own = [b for b in range(256) if chr(b) in letters and 32 < b != 173]
    others = [b for b in range(256) if b not in own]
    return {chr(b): b for b in own} | {chr(256 + i): b for i, b in enumerate(others)}
