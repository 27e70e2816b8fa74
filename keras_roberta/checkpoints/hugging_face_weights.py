"""Hugging Face's tensors to our weights by name, and back, after the tables of names."""

import re
from collections.abc import Iterator, Mapping

import numpy as np

from keras_roberta.checkpoints.hugging_face_names import (
    BUFFERS,
    PREFIX,
    HuggingFaceHead,
    Weight,
    encoder_weights,
)
from keras_roberta.checkpoints.tensor_files import StateDict
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError


def load_encoder_weights(
    state: Mapping[str, np.ndarray], config: RobertaConfig
) -> dict[str, np.ndarray]:
    """The encoder's weights by our names.

    Args:
        state: tensors by Hugging Face's names; heads and poolers among them are passed over.
        config: what the shapes must agree with.

    Raises:
        InputError: names the tensors that are missing, the one whose shape does not fit, or those
            of the encoder that the config has no place for.
    """
    prefix = PREFIX if any(name.startswith(PREFIX) for name in state) else ""
    names = _names(state, encoder_weights(config), prefix)
    loaded = _load(state, encoder_weights(config), names, {})
    used = set(names.values())
    left_over = [
        name
        for name in state
        if name.startswith((f"{prefix}embeddings.", f"{prefix}encoder."))
        and name not in used
        and name.removeprefix(prefix) not in BUFFERS
    ]
    if left_over:
        raise InputError(f"weights that the config has no place for: {listed(left_over)}")
    return loaded


def load_head(
    state: Mapping[str, np.ndarray], head: HuggingFaceHead, config: RobertaConfig
) -> dict[str, np.ndarray]:
    """A head's weights by our names.

    Raises:
        InputError: part of the head is missing, its shapes do not fit each other or the config, or
            what should be the token embedding is not.
    """
    loaded = _load_head(state, head, config)
    _check_tied(state, head)
    return loaded


def zeros_of_head(
    state: StateDict, head: HuggingFaceHead, config: RobertaConfig
) -> dict[str, np.ndarray]:
    """Zeros in the shapes of a head's weights, by our names; the weights are not read.

    Raises:
        InputError: see `load_head`.
    """
    zeros = {name: np.broadcast_to(np.float32(0), state.shape(name)) for name in state}
    _check_tied(state, head)
    return _load_head(zeros, head, config)


def _load_head(state, head, config):
    weights = head.weights()
    sizes = {"hidden_dim": config.hidden_dim, "vocabulary_size": config.vocabulary_size}
    return _load(state, weights, _names(state, weights), sizes)


def _check_tied(state, head) -> None:
    embedding = next(
        (n for n in state if n.removeprefix(PREFIX) == "embeddings.word_embeddings.weight"), None
    )
    for name in head.tied:
        if name not in state or embedding is None:
            continue
        if isinstance(state, StateDict) and state.at_one_place(name, embedding):
            continue  # as PyTorch saves a tensor that two layers share
        if not np.array_equal(state[embedding], state[name]):
            raise InputError(
                f"{name} differs from the token embedding; only heads that share it are supported"
            )


def head_and_pooler(state: Mapping[str, np.ndarray]) -> tuple[list[str], list[str]]:
    """The names of the tensors that are not the encoder's: of heads, and of its pooler."""
    heads, pooler = [], []
    for name in state:
        bare = name.removeprefix(PREFIX)
        if bare.startswith("pooler."):
            pooler.append(name)
        elif not bare.startswith(("embeddings.", "encoder.")):
            heads.append(name)
    return sorted(heads), sorted(pooler)


def to_hugging_face(
    weights: Mapping[str, np.ndarray],
    head: list[Weight] = (),
    head_weights: Mapping[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Hugging Face's tensors from our weights: the inverse of the loaders.

    Args:
        weights: the encoder's, by our names.
        head: the table of a head's weights.
        head_weights: these, by our names.

    Returns:
        Tensors by name, the encoder's with `roberta.` in front, ready for `write_safetensors`.
    """
    state = {PREFIX + name: array for name, array in _save(weights, _all_encoder(weights))}
    state.update(_save(head_weights or {}, head))
    return state


def listed(names: list[str], most: int = 6) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _names(state, weights: list[Weight], prefix: str = "") -> dict[str, str]:
    """The name that `state` has for each source."""
    names = {
        source: _find(state, prefix + source, weight.other_source)
        for weight in weights
        for source in weight.sources
    }
    missing = [prefix + source for source, name in names.items() if name is None]
    if missing:
        raise InputError(f"the checkpoint lacks {listed(missing)}")
    return names


def _find(state, name: str, other: str | None) -> str | None:
    """The name under which `state` has a tensor: this one, an old layer norm's, or the other."""
    old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
        "LayerNorm.bias", "LayerNorm.beta"
    )
    return next((candidate for candidate in (name, old, other) if candidate in state), None)


def _load(state, weights: list[Weight], names: dict[str, str], sizes: dict[str, int]):
    """Our weights by name. A size with a name is what `sizes` or the first array with it says."""
    loaded = {}
    for weight in weights:
        arrays = []
        for source in weight.sources:
            array = state[names[source]]
            for size, found in zip(weight.shape, array.shape, strict=False):
                if isinstance(size, str):
                    sizes.setdefault(size, found)
            expected = tuple(sizes.get(size, size) for size in weight.shape)
            if array.shape != expected:
                raise InputError(
                    f"{names[source]} has the shape {tuple(array.shape)}; expected {expected}"
                )
            arrays.append(array)
        loaded[weight.name] = weight.from_sources(arrays)
    return loaded


def _all_encoder(weights) -> list[Weight]:
    """`encoder_weights` for as many blocks and tables as there are."""
    blocks = {int(m[1]) for m in (re.match(r"encoder/block_(\d+)/", name) for name in weights) if m}
    has_types = "embeddings/token_type" in weights
    config = RobertaConfig(num_layers=max(blocks, default=0) + 1, num_token_types=int(has_types))
    return encoder_weights(config)


def _save(arrays, weights: list[Weight]) -> Iterator[tuple[str, np.ndarray]]:
    expected = {weight.name for weight in weights}
    wrong = sorted(expected ^ set(arrays))
    if wrong:
        raise InputError(f"missing or unknown weights: {listed(wrong)}")
    for weight in weights:
        yield from weight.to_sources(np.asarray(arrays[weight.name]))
