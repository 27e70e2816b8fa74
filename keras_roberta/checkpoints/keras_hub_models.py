"""KerasHub's models of RoBERTa and XLM-R, and their weights beside ours.

KerasHub itself builds them, loads and saves them; here it is said which of its variables is which
of our weights. It has no token types, and its position table begins with the first token.
"""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError

FAMILIES = ("Roberta", "XLMRoberta")  # what the names of its classes begin with
CLASSIFIER, MASKED_LM, EMBEDDER = "TextClassifier", "MaskedLM", "TextEmbedder"  # and end with
# Transformers' classes with the same heads.
ARCHITECTURES = {
    CLASSIFIER: "RobertaForSequenceClassification",
    MASKED_LM: "RobertaForMaskedLM",
}
_POSITIONS = "embeddings/position"
# Set in its code; its configs do not say them.
_FIXED = {
    "layer_norm_epsilon": 1e-5,
    "hidden_activation": "gelu",
    "pad_token_id": 1,
    "tie_word_embeddings": True,
}
_BLOCK = {
    "attention/output": "self_attention_layer/attention_output",
    "attention_layer_norm": "self_attention_layer_norm",
    "intermediate": "feedforward_intermediate_dense",
    "output": "feedforward_output_dense",
    "output_layer_norm": "feedforward_layer_norm",
}

logger = logging.getLogger("keras_roberta")

# Our names in a head -> the paths of its variables.
HEADS = {
    CLASSIFIER: {
        **{f"dense/{part}": (f"pooled_dense/{part}",) for part in ("kernel", "bias")},
        **{f"out/{part}": (f"logits/{part}",) for part in ("kernel", "bias")},
    },
    MASKED_LM: {
        **{f"dense/{p}": (f"mlm_head/intermediate_dense/{p}",) for p in ("kernel", "bias")},
        **{
            f"layer_norm/{part}": (f"mlm_head/intermediate_layer_norm/{part}",)
            for part in ("gamma", "beta")
        },
        "bias": ("mlm_head/output_bias",),
    },
}


def backbone_of(family: str, config: RobertaConfig):
    """One of KerasHub's encoders with random weights.

    Raises:
        InputError: it has no such encoder; names the field of the config.
    """
    for name, value in _FIXED.items():
        if name != "tie_word_embeddings" and getattr(config, name) != value:
            raise InputError(
                f"{name} is {getattr(config, name)!r}; KerasHub's RoBERTa has {value!r}"
            )
    read = {"attention_dropout": config.dropout, "activation_dropout": 0.0, "layer_drop": 0.0}
    lost = [f"{k}={getattr(config, k):g}" for k, rate in read.items() if getattr(config, k) != rate]
    if lost:
        logger.warning(
            "KerasHub's RoBERTa has one rate of dropout, here %g; it loses %s, which only training "
            "uses",
            config.dropout,
            ", ".join(lost),
        )
    return class_named(f"{family}Backbone")(
        vocabulary_size=config.vocabulary_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        hidden_dim=config.hidden_dim,
        intermediate_dim=config.intermediate_dim,
        dropout=config.dropout,
        max_sequence_length=config.max_sequence_length,
        dtype="float32",
    )


def config_of(settings: Mapping[str, Any]) -> RobertaConfig:
    """Our config for the arguments of one of KerasHub's encoders.

    Raises:
        InputError: a value does not fit.
    """
    dropout = settings.get("dropout", 0.1)
    names = ("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim")
    return RobertaConfig(
        **{name: settings[name] for name in names},
        max_sequence_length=settings.get("max_sequence_length", 512),
        num_token_types=0,
        dropout=dropout,
        attention_dropout=dropout,
        **_FIXED,
    )


def class_named(name: str) -> type:
    """One of KerasHub's classes."""
    import keras_hub  # here: to look into a preset takes no TensorFlow

    return getattr(keras_hub.models, name)


def read_encoder(backbone, config: RobertaConfig) -> dict[str, np.ndarray]:
    """The weights of KerasHub's encoder by our names, in our shapes.

    Args:
        config: ours for it.
    """
    variables = {variable.path: variable for variable in backbone.variables}
    weights = {
        name: _joined([variables[path] for path in paths], config)
        for name, paths in _encoder_paths(config).items()
    }
    padding = np.zeros((config.pad_token_id + 1, config.hidden_dim), np.float32)
    weights[_POSITIONS] = np.concatenate([padding, weights[_POSITIONS]])
    return weights


def write_encoder(backbone, config: RobertaConfig, weights: Mapping[str, np.ndarray]) -> None:
    """Assigns our weights, which have no token types, to KerasHub's encoder."""
    weights = dict(weights)
    weights[_POSITIONS] = weights[_POSITIONS][config.pad_token_id + 1 :]
    _assign(backbone, _encoder_paths(config), weights)


def read_head(task, kind: str) -> dict[str, np.ndarray]:
    """The weights of a head of KerasHub by our names."""
    variables = {variable.path: variable for variable in task.variables}
    return {name: np.asarray(variables[path]) for name, (path,) in HEADS[kind].items()}


def write_head(task, kind: str, weights: Mapping[str, np.ndarray]) -> None:
    """Assigns our weights to a head of KerasHub."""
    _assign(task, HEADS[kind], weights)


def _encoder_paths(config: RobertaConfig) -> dict[str, tuple[str, ...]]:
    """Our names -> the paths of KerasHub's variables, which are concatenated on our last axis."""
    paths = {
        "embeddings/token": ("embeddings/token_embedding/embeddings",),
        _POSITIONS: ("embeddings/position_embedding/embeddings",),
    }
    layers = {"embeddings/layer_norm": ("embeddings_layer_norm",)}
    for i in range(config.num_layers):
        ours, theirs = f"encoder/block_{i}", f"transformer_layer_{i}"
        layers[f"{ours}/attention/query_key_value"] = tuple(
            f"{theirs}/self_attention_layer/{part}" for part in ("query", "key", "value")
        )
        layers |= {f"{ours}/{name}": (f"{theirs}/{path}",) for name, path in _BLOCK.items()}
    for name, found in layers.items():
        parts = ("gamma", "beta") if name.endswith("layer_norm") else ("kernel", "bias")
        for part in parts:
            paths[f"{name}/{part}"] = tuple(f"{path}/{part}" for path in found)
    return paths


def _joined(variables, config) -> np.ndarray:
    """Variables, whose heads are axes of their own, as one array of ours."""
    arrays = [np.asarray(variable, np.float32) for variable in variables]
    heads = (config.num_heads, config.head_dim)
    for i, array in enumerate(arrays):
        if array.shape[-2:] == heads and len(arrays) == 3:  # (hidden_dim, heads, head_dim), a bias
            arrays[i] = array.reshape(*array.shape[:-2], -1)
        elif array.ndim == 3:  # (heads, head_dim, hidden_dim)
            arrays[i] = array.reshape(-1, array.shape[-1])
    return np.concatenate(arrays, axis=-1) if arrays[1:] else arrays[0]


def _assign(model, paths, weights) -> None:
    variables = {variable.path: variable for variable in model.variables}
    for name, found in paths.items():
        parts = np.split(np.asarray(weights[name], np.float32), len(found), axis=-1)
        for path, part in zip(found, parts, strict=True):
            variables[path].assign(part.reshape(variables[path].shape))
