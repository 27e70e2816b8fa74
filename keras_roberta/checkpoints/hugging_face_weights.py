"""Hugging Face's tensors to our weights by name, and back, after the tables of names."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_roberta.checkpoints.hugging_face_families import Family, family_of
from keras_roberta.checkpoints.hugging_face_names import (
    BUFFERS,
    OUTPUT_PROJECTION,
    TOKEN_EMBEDDING,
    HuggingFaceHead,
    encoder_weights,
)
from keras_roberta.checkpoints.tensor_files import StateDict
from keras_roberta.checkpoints.weight_table import (
    Weight,
    check_shapes,
    find_sources,
    listed,
    load_into,
    stored_weights,
    zeros_like,
)
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError


def check_encoder(state: Mapping[str, np.ndarray], config: RobertaConfig) -> dict[str, str]:
    """Compares the encoder's tensors with a config by name and shape; none is read.

    Args:
        state: tensors by Hugging Face's names; heads and poolers among them are passed over.
        config: what the shapes must agree with.

    Returns:
        the name that `state` has for each of Hugging Face's.

    Raises:
        InputError: names the tensors that are missing, the one whose shape does not fit, or those
            of the encoder that the config has no place for.
    """
    family = family_of(config)
    prefix = family.prefix
    if not any(name.startswith(prefix) for name in state):
        prefix = ""
    if config.num_layers > len(state):  # before a table is made that long
        raise InputError(
            f"the config has {config.num_layers} layers, the checkpoint {len(state)} tensors in all"
        )
    table = encoder_weights(config)
    names = find_sources(state, table, prefix)
    check_shapes(state, table, names, {})
    used = set(names.values())
    left_over = [
        name
        for name in state
        if name.startswith(tuple(prefix + part for part in family.parts))
        and name not in used
        and name.removeprefix(prefix) not in BUFFERS
    ]
    if left_over:
        raise InputError(f"weights that the config has no place for: {listed(left_over)}")
    return names


def load_encoder_into(
    variables: Mapping[str, Any], state: Mapping[str, np.ndarray], config: RobertaConfig
) -> None:
    """Assigns the encoder's weights to variables by our names, one after the other.

    Args:
        state, config: see `check_encoder`.

    Raises:
        InputError: see `check_encoder` and `load_into`.
    """
    load_into(variables, state, encoder_weights(config), check_encoder(state, config))


def load_head_into(
    variables: Mapping[str, Any],
    state: Mapping[str, np.ndarray],
    head: HuggingFaceHead,
    config: RobertaConfig,
) -> None:
    """The same for a head.

    Raises:
        InputError: part of the head is missing, its shapes do not fit each other or the config; see
            `load_into`.
    """
    weights = head.weights_of(config)
    load_into(variables, state, weights, _check_head(state, weights, config))


def zeros_of_head(
    state: Mapping[str, np.ndarray], head: HuggingFaceHead, config: RobertaConfig
) -> dict[str, np.ndarray]:
    """Zeros in the shapes of a head's weights, by our names; the weights are not read.

    Raises:
        InputError: part of the head is missing, or its shapes do not fit.
    """
    weights = head.weights_of(config)
    return zeros_like(state, weights, _check_head(state, weights, config))


def _check_head(state, weights: list[Weight], config: RobertaConfig) -> dict[str, str]:
    names = find_sources(state, weights)
    sizes = {"hidden_dim": config.hidden_dim, "vocabulary_size": config.vocabulary_size}
    check_shapes(state, weights, names, sizes)
    return names


def has_own_output_matrix(state: Mapping[str, np.ndarray], family: Family) -> bool:
    """Whether there is an output matrix that is not the token embedding.

    Transformers then computes with it, even if the config says that they are one.
    """
    (name,) = OUTPUT_PROJECTION[0].sources
    embedding = next((n for n in state if n.removeprefix(family.prefix) == TOKEN_EMBEDDING), None)
    if name not in state or embedding is None:
        return False
    if not isinstance(state, StateDict):
        return not np.array_equal(state[embedding], state[name])
    if state.at_one_place(name, embedding):
        return False  # as PyTorch saves a tensor that two layers share
    return not state.same_numbers(embedding, name)


def head_and_pooler(state: Mapping[str, np.ndarray], family: Family) -> tuple[list[str], list[str]]:
    """The names of the tensors that are not the encoder's: of heads, and of its pooler."""
    heads, pooler = [], []
    for name in state:
        bare = name.removeprefix(family.prefix)
        if bare.startswith("pooler."):
            pooler.append(name)
        elif not bare.startswith(family.parts):
            heads.append(name)
    return sorted(heads), sorted(pooler)


def to_hugging_face(
    weights: Mapping[str, np.ndarray],
    config: RobertaConfig,
    head: list[Weight] = (),
    head_weights: Mapping[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Hugging Face's tensors from our weights: the inverse of the loaders.

    Args:
        weights: the encoder's, by our names.
        config: the encoder's.
        head: the table of a head's weights.
        head_weights: these, by our names.

    Returns:
        Tensors by name, the encoder's with `roberta.` or another prefix in front: views of the
        weights.
    """
    prefix, encoder = family_of(config).prefix, stored_weights(weights, encoder_weights(config), {})
    state = {prefix + name: array for name, array in encoder}
    sizes = {"vocabulary_size": config.vocabulary_size, "hidden_dim": config.hidden_dim}
    state.update(stored_weights(head_weights or {}, head, sizes))
    return state


def unwrapped(state: StateDict, family: Family) -> StateDict:
    """The tensors by the names that Transformers gives them, without what a wrapper put in front.

    PyTorch's wrappers put `module.` (DistributedDataParallel), `_orig_mod.` (compile) or the name
    of an attribute, such as `model.`, in front of every name. It is told by the token embedding.

    Raises:
        InputError: there are two models, or two tensors would have one name.
    """
    embeddings = [name for name in state if f".{name}".endswith(f".{TOKEN_EMBEDDING}")]
    if len(embeddings) > 1:
        raise InputError(
            f"the weights are of several models ({listed(embeddings)}); save one of them alone"
        )
    front = embeddings[0].removesuffix(TOKEN_EMBEDDING) if embeddings else ""
    wrapper = front.removesuffix(family.prefix)
    if not wrapper:
        return state
    names = {name: name.removeprefix(wrapper) for name in state}
    twice = [name for name, bare in names.items() if name != bare and bare in state]
    if twice:
        raise InputError(
            f"the weights hold {twice[0]} and {names[twice[0]]}; save one of the models alone"
        )
    return state.renamed(names)
