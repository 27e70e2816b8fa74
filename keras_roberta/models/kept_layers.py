"""An encoder with some of the layers of another."""

import re

import keras

from keras_roberta.errors import InputError
from keras_roberta.training.layers_to_keep import layers_to_keep


def copy_layers(source: keras.Model, target: keras.Model) -> None:
    """Gives an encoder copies of some layers of another, those of `layers_to_keep`.

    The embeddings, and with `norm_first` the last layer norm, are copied too.

    Args:
        source: a `RobertaBackbone` without adapters.
        target: one of `source.config.with_layers`.

    Raises:
        InputError: the weights are quantised.
    """
    weights = source.weights_by_name()  # refuses what is quantised
    config = source.config
    kept = layers_to_keep(target.config.num_layers, config.num_layers, config.sharing_groups)
    assigned = set()  # ids of weights, which layers may share
    for name, weight in target.weights_by_name().items():
        if id(weight) not in assigned:
            weight.assign(weights[_name_of_source(name, kept)])
            assigned.add(id(weight))


def check_layers(num_layers: int | None, there: int) -> None:
    """Raises an InputError unless so many layers can be taken of those that are there."""
    if num_layers is not None and (type(num_layers) is not int or not 1 <= num_layers <= there):
        raise InputError(
            f"num_layers: the checkpoint has {there} layers; give 1 to {there}; got {num_layers!r}"
        )


def _name_of_source(name, kept):
    return re.sub(r"(?<=^encoder/block_)\d+", lambda number: str(kept[int(number[0])]), name)
