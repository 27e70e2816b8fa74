"""An encoder with some of the layers of another."""

import re
from collections.abc import Sequence

from keras_roberta.errors import InputError


def with_layers(backbone, kept: Sequence[int]):
    """An encoder of the same settings with copies of some layers.

    Its embeddings, and with `norm_first` its last layer norm, are copies too.

    Args:
        backbone: a `RobertaBackbone` without adapters.
        kept: the number of the layer that each layer is a copy of.

    Returns:
        `RobertaBackbone` of `len(kept)` layers

    Raises:
        InputError: the weights are quantised; or layers that are to share weights would be copies
            of layers that do not.
    """
    weights = backbone.weights_by_name()  # refuses what is quantised
    smaller = type(backbone)(
        backbone.config.replace(num_layers=len(kept)),
        backbone.optional_inputs,
        dtype=backbone.dtype_policy,
    )
    sources = {}  # of each weight, by its id
    for name, weight in smaller.weights_by_name().items():
        source = weights[_name_of_source(name, kept)]
        if sources.setdefault(id(weight), source) is not source:
            raise InputError(
                f"num_layers={len(kept)}: the groups of layers that share weights would be others; "
                f"the model has {backbone.config.num_layers} layers in "
                f"{backbone.config.sharing_groups} groups"
            )
        weight.assign(source)
    return smaller


def check_layers(num_layers: int | None, there: int) -> None:
    """Raises an InputError unless so many layers can be taken of those that are there."""
    if num_layers is not None and (type(num_layers) is not int or not 1 <= num_layers <= there):
        raise InputError(
            f"num_layers: the checkpoint has {there} layers; give 1 to {there}; got {num_layers!r}"
        )


def _name_of_source(name, kept):
    return re.sub(r"(?<=^encoder/block_)\d+", lambda number: str(kept[int(number[0])]), name)
