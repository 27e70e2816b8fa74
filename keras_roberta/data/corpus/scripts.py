"""The script of each token, such as Latin or Cyrillic."""

import unicodedata

import numpy as np

from keras_roberta.data.corpus.shards import NO_LABEL
from keras_roberta.tokenizers import Tokenizer

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


def token_scripts(tokenizer: Tokenizer) -> np.ndarray:
    """The script of each token's first letter, as an index into `SCRIPTS`.

    Special tokens, tokens in other scripts and tokens that are only a part of a character get
    `NO_LABEL`.

    Returns:
        uint8 (vocabulary_size,)
    """
    return np.array([_script(text) for text in tokenizer.token_texts()], np.uint8)


def _script(text):
    if text is None:
        return NO_LABEL
    letters = [letter for letter in text if letter.isalpha()]
    if not letters:
        return 0
    # A letter's Unicode name begins with the script: "CYRILLIC SMALL LETTER A".
    name = unicodedata.name(letters[0], "").partition(" ")[0].lower()
    return SCRIPTS.index(name) if name in SCRIPTS else NO_LABEL
