"""Learns tokenizers of whole words and of single characters: what occurs most is a token."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tokenizers import AddedToken, Tokenizer, models, processors, trainers

from keras_roberta.errors import InputError
from keras_roberta.options import OptionError
from keras_roberta.tokenizers.kinds import splitting
from keras_roberta.tokenizers.kinds.characters import CHARACTERS
from keras_roberta.tokenizers.kinds.kind import Kind
from keras_roberta.tokenizers.kinds.words import WORDS
from keras_roberta.tokenizers.special_token_names import (
    FRONT_TOKENS,
    MASK_TOKEN,
    SPECIAL_TOKENS,
    SpecialTokenNames,
)
from keras_roberta.tokenizers.training.stretches import stretches
from keras_roberta.tokenizers.word_level_tokenizer import WordLevelTokenizer


def train_words(
    texts: Iterable[str],
    vocabulary_size: int = 50265,
    min_frequency: int = 2,
    lowercase: bool = False,
    progress: bool = False,
) -> WordLevelTokenizer:
    """Learns a vocabulary of whole words: those that occur most, of equals the first by code point.

    A word is a run, as long as it can be, of letters, marks, numbers of any kind, connecting signs
    such as `_`, and the joiners U+200C and U+200D. Each other character that is no white space is a
    token by itself, and white space is left out. All that is not in the vocabulary is `<unk>`.
    Words of more than 100 characters are not learnt. Decoded, tokens have one space between them.

    Args:
        texts: the corpus, read once; lines or whole documents.
        vocabulary_size: ids in all; fewer come out where the text has fewer words. `<s> <pad> </s>
            <unk>` take the ids 0 to 3, `<mask>` the last one.
        min_frequency: how often a word occurs before it is a token.
        lowercase: whether letters become small ones first (each by Unicode's simple rule).
        progress: whether to show a bar on stderr.

    Raises:
        InputError: the vocabulary is too small, or there is no text.

    >>> tok = train_words(["the dog's day", "the day"], min_frequency=1)
    >>> tok.tokenize("the dog's hour"), tok.decode(tok("the dog's day"))
    (['the', 'dog', "'", 's', '<unk>'], "the dog ' s day")
    """
    return _train(
        WORDS, splitting.WORDS, texts, vocabulary_size, min_frequency, lowercase, progress
    )


def train_characters(
    texts: Iterable[str],
    vocabulary_size: int = 50265,
    min_frequency: int = 2,
    lowercase: bool = False,
    progress: bool = False,
) -> WordLevelTokenizer:
    """Learns a vocabulary of single characters: those that occur most.

    Each code point of Unicode is a token, white space too; those that are not in the vocabulary are
    `<unk>`. The arguments and errors are those of `train_words`.

    >>> tok = train_characters(["a day"], min_frequency=1)
    >>> tok.tokenize("a dog"), tok.decode(tok("a day"))
    (['a', ' ', 'd', '<unk>', '<unk>'], 'a day')
    """
    return _train(
        CHARACTERS, splitting.CHARACTERS, texts, vocabulary_size, min_frequency, lowercase, progress
    )


def _train(
    kind: Kind,
    pre_tokenizer: dict[str, Any],
    texts: Iterable[str],
    vocabulary_size: int,
    min_frequency: int,
    lowercase: bool,
    progress: bool,
) -> WordLevelTokenizer:
    smallest = len(SPECIAL_TOKENS) + 1
    if vocabulary_size < smallest:
        raise OptionError(
            "vocabulary_size",
            f"{vocabulary_size}: the special tokens alone take {smallest - 1}; give more",
        )
    if min_frequency < 1:
        raise OptionError("min_frequency", f"{min_frequency}: expected 1 or more")
    names = SpecialTokenNames()
    content = json.loads(Tokenizer(models.WordLevel({}, unk_token=names.unk)).to_str())
    content |= {
        "pre_tokenizer": pre_tokenizer,
        "normalizer": splitting.LOWERCASE if lowercase else None,
        "decoder": kind.decoder,
    }
    rust = Tokenizer.from_str(json.dumps(content))
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocabulary_size - 1,
        min_frequency=min_frequency,
        special_tokens=list(FRONT_TOKENS),
        show_progress=progress,
    )
    rust.train_from_iterator(stretches(texts), trainer)
    learnt = rust.get_vocab(with_added_tokens=False)
    kept = [t for t in sorted(learnt, key=learnt.get) if len(t) <= splitting.LONGEST_WORD]
    vocabulary = {token: index for index, token in enumerate(kept)}
    if len(vocabulary) == len(FRONT_TOKENS):
        raise InputError(f"texts: no token occurs {min_frequency} times; there is nothing to learn")
    rust.model = models.WordLevel(vocabulary | {MASK_TOKEN: len(vocabulary)}, unk_token=names.unk)
    rust.add_special_tokens(
        [AddedToken(t, lstrip=t == MASK_TOKEN, normalized=False) for t in SPECIAL_TOKENS]
    )
    # For Transformers, which makes the rows that the file says.
    start, end = names.start, names.end
    rust.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(token, FRONT_TOKENS.index(token)) for token in (start, end)],
    )
    return WordLevelTokenizer(rust, kind=kind)
