"""Learns tokenizers from your own text.

`train_tokenizer` learns any kind; each kind's own function says what it learns and how.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from keras_roberta.options import OptionError

if TYPE_CHECKING:
    from keras_roberta.tokenizers.protocol import Tokenizer

# Of each kind the module and the function. Loaded when first asked for: the names are needed where
# the `tokenizers` library is not.
_TRAINERS = {
    "bpe": ("byte_pairs", "train_byte_level_bpe"),
    "unigram": ("unigram", "train_unigram"),
    "word": ("word_level", "train_words"),
    "char": ("word_level", "train_characters"),
}
KINDS = tuple(_TRAINERS)
_FUNCTIONS = {function: module for module, function in _TRAINERS.values()}
__all__ = ["KINDS", "train_tokenizer", *_FUNCTIONS]


def train_tokenizer(texts: Iterable[str], kind: str = "bpe", **settings: Any) -> Tokenizer:
    """Learns a tokenizer.

    Args:
        texts: the corpus, lines or whole documents.
        kind: "bpe" (byte-level BPE, as RoBERTa's), "unigram" (sentencepiece's, as XLM-R's), "word"
            (whole words) or "char" (single characters).
        settings: `vocabulary_size`, `min_frequency`, `lowercase` and `progress`, of which a kind
            takes those that mean something to it. None stands for the kind's default.

    Raises:
        InputError: there is no such kind, it does not take a setting, or the texts give no
            tokenizer.
    """
    if kind not in _TRAINERS:
        raise OptionError("kind", f"{kind!r}: expected one of {', '.join(KINDS)}")
    train = __getattr__(_TRAINERS[kind][1])
    settings = {
        n: value for n, value in settings.items() if value is not None and value is not False
    }
    for name in settings:
        if name not in inspect.signature(train).parameters:
            raise OptionError(name, f"means nothing to the kind {kind}; leave it out")
    return train(texts, **settings)


def __getattr__(name):
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"{__name__}.{_FUNCTIONS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
