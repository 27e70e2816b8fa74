"""What Hugging Face's `config.json` calls the fields of a `RobertaConfig`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.json_kinds import short

# Ours -> the names in Hugging Face's config.json, the first of which is written.
ACTIVATION_NAMES = {
    "gelu": ("gelu", "gelu_python"),
    "gelu_tanh": (
        *("gelu_pytorch_tanh", "gelu_new", "gelu_fast"),
        *("gelu_python_tanh", "gelu_accurate"),
    ),
    "quick_gelu": ("quick_gelu",),
    "relu": ("relu",),
    "silu": ("silu", "swish"),
}
# Ours -> the key in Hugging Face's config.json.
_KEYS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "num_token_types": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "layer_norm_epsilon": "layer_norm_eps",
    "initializer_range": "initializer_range",
    "start_token_id": "bos_token_id",
    "pad_token_id": "pad_token_id",
    "end_token_id": "eos_token_id",
    "tie_word_embeddings": "tie_word_embeddings",
}
# What would make another model of it -> the values that mean that it is not so.
_REFUSED = {
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "is_encoder_decoder": (None, False),
    "position_embedding_type": (None, "absolute"),
    "pruned_heads": (None, {}),
    "quantization_config": (None, {}),
}
# Transformers' model types -> the fields that all their models have. A config is written as the
# first type whose fields it has.
_LAYOUTS = {
    "roberta": {"norm_first": False, "embedding_norm": True},
    "xlm-roberta": {"norm_first": False, "embedding_norm": True},
    "camembert": {"norm_first": False, "embedding_norm": True},
    "xlm-roberta-xl": {"norm_first": True, "embedding_norm": False},
    "roberta-prelayernorm": {"norm_first": True, "embedding_norm": True},
}
MODEL_TYPES = tuple(_LAYOUTS)
# What a missing key means where it is not the default here: in most of Transformers' classes, and
# in those of single model types.
_DEFAULTS = {"layer_norm_epsilon": 1e-12, "num_token_types": 2, "num_positions": 512}
_OWN_DEFAULTS = {
    "xlm-roberta-xl": {
        "vocabulary_size": 250_880,
        "num_layers": 36,
        "num_heads": 32,
        "hidden_dim": 2560,
        "intermediate_dim": 10_240,
        "layer_norm_epsilon": 1e-5,
        "num_token_types": 1,
        "num_positions": 514,
    }
}


def fields_of(values: Mapping[str, Any], defaults: Any) -> dict[str, Any]:
    """The fields of a config for the content of a `config.json`; see
    `RobertaConfig.from_hugging_face`.

    Args:
        values: the content.
        defaults: has those of the fields as attributes.
    """
    model_type = values.get("model_type")
    if model_type not in MODEL_TYPES:
        raise InputError(
            f"config.json: model_type is {short(model_type)}; this library reads "
            f"{', '.join(MODEL_TYPES)}"
        )
    for key, harmless in _REFUSED.items():
        if values.get(key) not in harmless:
            raise InputError(
                f"config.json: {key} is {short(values[key])}, which no model here has; "
                f"expected {harmless[-1]!r} or no such entry"
            )
    activation = values.get("hidden_act", "gelu")
    known = {theirs: ours for ours, names in ACTIVATION_NAMES.items() for theirs in names}
    if not isinstance(activation, str) or activation not in known:
        raise InputError(
            f"config.json: hidden_act is {short(activation)}; this library has {', '.join(known)}"
        )
    theirs_alone = {**_DEFAULTS, **_OWN_DEFAULTS.get(model_type, {})}
    fields = {
        ours: values.get(theirs, theirs_alone.get(ours, getattr(defaults, ours)))
        for ours, theirs in _KEYS.items()
    }
    for name in ("start_token_id", "end_token_id"):  # which Transformers' model does not read
        if fields[name] is None:
            fields[name] = getattr(defaults, name)
        elif isinstance(fields[name], list) and fields[name]:  # several that end a text
            fields[name] = fields[name][0]
    offset = fields["pad_token_id"] + 1 if is_integer(fields["pad_token_id"]) else 0
    positions = values.get("max_position_embeddings", theirs_alone["num_positions"])
    if not is_integer(positions) or positions <= offset:
        raise InputError(
            f"config.json: max_position_embeddings must be an integer above {offset}; "
            f"got {short(positions)}"
        )
    return {
        "max_sequence_length": positions - offset,
        "hidden_activation": known[activation],
        **_LAYOUTS[model_type],
        **fields,
    }


def values_of(config: Any) -> dict[str, Any]:
    """The content of a `config.json` for a `RobertaConfig`; see `RobertaConfig.to_hugging_face`."""
    return {
        "model_type": model_type_of(config),
        **{theirs: getattr(config, ours) for ours, theirs in _KEYS.items()},
        "max_position_embeddings": config.num_positions,
        "hidden_act": ACTIVATION_NAMES[config.hidden_activation][0],
        "position_embedding_type": "absolute",
    }


def model_type_of(config: Any) -> str:
    """The model type in Transformers of a `RobertaConfig`.

    Raises:
        InputError: no model there computes so.
    """
    if options := beyond_transformers(config):
        raise InputError(f"Transformers has no place for {' and '.join(options)}")
    return next(name for name, layout in _LAYOUTS.items() if _has(config, layout))


def beyond_transformers(config: Any) -> list[str]:
    """The fields by which a `RobertaConfig` computes as no model of Transformers that is written
    here, as "embedding_dim=128"."""
    options = []
    if config.embedding_dim is not None:
        options.append(f"embedding_dim={config.embedding_dim}")
    if not any(_has(config, layout) for layout in _LAYOUTS.values()):
        options.append(f"embedding_norm={config.embedding_norm}")
    return options


def _has(config, layout):
    return all(getattr(config, name) == value for name, value in layout.items())


def is_integer(value: Any) -> bool:
    """Whether it is a whole number and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)
