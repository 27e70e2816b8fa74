"""Whether a preprocessor is that of a model."""

from typing import Any

from keras_roberta.checkpoints.matching_tokenizer import check_tokenizer
from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.options import OptionError


def check_preprocessor(preprocessor: Any, backbone: RobertaBackbone) -> None:
    """Raises an InputError if a preprocessor makes rows that the model cannot take: longer than it
    has positions, or of another tokenizer."""
    length = getattr(preprocessor, "sequence_length", None)
    longest = backbone.config.max_sequence_length
    if length is not None and length > longest:
        raise OptionError(
            "sequence_length",
            f": the preprocessor cuts at {length} tokens, but the model has only "
            f"{longest} positions; make it with sequence_length={longest} or less",
        )
    tokenizer = getattr(preprocessor, "tokenizer", None)
    if tokenizer is not None:
        check_tokenizer(tokenizer, backbone.config)
