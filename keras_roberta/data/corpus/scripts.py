"""The script that each token is written in."""

import unicodedata

import numpy as np

from keras_roberta.data.corpus.shards import NO_LABEL

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
    return np.array([_script(text) for text in tokenizer.token_texts()], np.uint8)


def _script(text):
    if text is None:
        return NO_LABEL
    letters = [letter for letter in text if letter.isalpha()]
    if not letters:
        return 0
    # The names of letters begin with their script's: "CYRILLIC SMALL LETTER A".
    name = unicodedata.name(letters[0], "").partition(" ")[0].lower()
    return SCRIPTS.index(name) if name in SCRIPTS else NO_LABEL
