"""The schema of files that were exported before they held one."""

from keras_roberta.schemas.masked_tokens import MaskedTokens
from keras_roberta.schemas.one_label import OneLabel
from keras_roberta.schemas.schema import Schema
from keras_roberta.schemas.value import Value


def schema_from_format_2(metadata: dict) -> Schema:
    """From metadata with `task`, and by task `num_classes` and `labels`, or `mask_token_id`,
    `top_k` and `max_masks`."""
    if metadata["num_classes"] is None:
        return MaskedTokens(metadata["mask_token_id"], metadata["top_k"], metadata["max_masks"])
    if metadata["num_classes"] == 1:
        return Value()
    return OneLabel(metadata["num_classes"], tuple(metadata["labels"]))
