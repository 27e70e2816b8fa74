"""Learns a byte-level BPE."""

import json
from collections.abc import Iterable

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from keras_roberta.options import OptionError
from keras_roberta.tokenizers.roberta_tokenizer import RobertaTokenizer
from keras_roberta.tokenizers.special_token_names import (
    FRONT_TOKENS,
    MASK_TOKEN,
    SPECIAL_TOKENS,
)
from keras_roberta.tokenizers.training.stretches import stretches

_SMALLEST = 256 + len(SPECIAL_TOKENS)


def train_byte_level_bpe(
    texts: Iterable[str],
    vocabulary_size: int = 50265,
    min_frequency: int = 2,
    progress: bool = False,
) -> RobertaTokenizer:
    """Learns the merges that occur most (Sennrich et al. 2016, algorithm 1, on bytes).

    The same texts in the same order give the same tokenizer. `<s> <pad> </s> <unk>` take the ids
    0 to 3, `<mask>` the last one, the 256 bytes and the merges what lies between.

    Args:
        texts: the corpus, read once, piece by piece; lines or whole documents.
        vocabulary_size: ids in all, at least 261; fewer come out where the text is too small.
        min_frequency: how often a pair occurs before it is merged.
        progress: whether to show a bar on stderr.

    Raises:
        InputError: the vocabulary is too small, or there is no text.
    """
    if vocabulary_size < _SMALLEST:
        raise OptionError(
            "vocabulary_size",
            f"{vocabulary_size}: the bytes and special tokens alone take {_SMALLEST}; give more",
        )
    rust = Tokenizer(models.BPE())
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size - 1,
        min_frequency=min_frequency,
        special_tokens=list(FRONT_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=progress,
    )
    rust.train_from_iterator(stretches(texts), trainer)
    model = json.loads(rust.to_str())["model"]  # The library offers no other way to the merges.
    return RobertaTokenizer(model["vocab"] | {MASK_TOKEN: len(model["vocab"])}, model["merges"])
