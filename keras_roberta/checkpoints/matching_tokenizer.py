"""Whether a tokenizer is that of a model."""

from typing import Any

from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError


def check_tokenizer(tokenizer: Any, config: RobertaConfig, where: str = "") -> None:
    """Raises an InputError if a tokenizer is not that of a model.

    Positions are counted from the padding's id, and a model has a row for each token. The ids of
    `<s>` and `</s>` are the tokenizer's, as in Transformers, whose model does not look at them.

    Args:
        where: a directory, for the message.
    """
    front = f"{where}: " if where else ""
    largest = tokenizer.vocabulary_size - 1
    if largest >= config.vocabulary_size:
        raise InputError(
            f"{front}the tokenizer's largest id is {largest}, but the model has a vocabulary of "
            f"{config.vocabulary_size}; they are not of one model"
        )
    if tokenizer.pad_token_id != config.pad_token_id:
        raise InputError(
            f"{front}the tokenizer's pad_token_id is {tokenizer.pad_token_id}, the model's "
            f"{config.pad_token_id}, from which it counts positions; they are not of one model, or "
            "config.json is wrong"
        )
