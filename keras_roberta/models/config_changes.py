"""Fields of a config that cannot be changed where a checkpoint's weights are loaded."""

from collections.abc import Mapping
from typing import Any

from keras_roberta.errors import InputError

# Fields that decide which weights a model has, or what it computes with the same weights.
_OF_WEIGHTS = (
    *("parameter_sharing", "sharing_groups", "embedding_dim"),
    *("norm_first", "embedding_norm"),
    *("num_heads", "hidden_activation", "layer_norm_epsilon", "pad_token_id"),
)


def check_changes(changes: Mapping[str, Any], source) -> None:
    """Raises an InputError if the weights of a checkpoint are of another model.

    Args:
        changes: fields of the config, by name.
        source: a `Checkpoint`.
    """
    for name in _OF_WEIGHTS:
        own = getattr(source.config, name)
        if changes.get(name, own) != own:
            raise InputError(
                f"{name}={changes[name]!r}: the weights in {source.directory} are of a model with "
                f"{own!r}; load_weights=False starts with new ones"
            )
