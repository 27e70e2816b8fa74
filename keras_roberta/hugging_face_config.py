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
_MODEL_TYPES = ("roberta", "xlm-roberta", "camembert")


def fields_of(values: Mapping[str, Any], defaults: Any) -> dict[str, Any]:
    """The fields of a config for the content of a `config.json`; see
    `RobertaConfig.from_hugging_face`.

    Args:
        values: the content.
        defaults: has those of the fields as attributes.
    """
    model_type = values.get("model_type")
    if model_type not in _MODEL_TYPES:
        raise InputError(
            f"config.json: model_type is {short(model_type)}; this library reads "
            f"{', '.join(_MODEL_TYPES)}"
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
    theirs_alone = {"layer_norm_epsilon": 1e-12, "num_token_types": 2}
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
    positions = values.get("max_position_embeddings", 512)
    if not is_integer(positions) or positions <= offset:
        raise InputError(
            f"config.json: max_position_embeddings must be an integer above {offset}; "
            f"got {short(positions)}"
        )
    return {
        "max_sequence_length": positions - offset,
        "hidden_activation": known[activation],
        **fields,
    }


def values_of(config: Any) -> dict[str, Any]:
    """The content of a `config.json` for a `RobertaConfig`."""
    return {
        "model_type": "roberta",
        **{theirs: getattr(config, ours) for ours, theirs in _KEYS.items()},
        "max_position_embeddings": config.num_positions,
        "hidden_act": ACTIVATION_NAMES[config.hidden_activation][0],
        "position_embedding_type": "absolute",
    }


def is_integer(value: Any) -> bool:
    """Whether it is a whole number and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)
