"""The settings in fairseq's checkpoints: `args`, a namespace, or since version 0.11 `cfg`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError
from keras_roberta.files.json_kinds import TEXT, TRUTH, Maybe, Number, Record, Whole, short

PAD_TOKEN_ID = 1  # of every dictionary; those of `<s>` and `</s>` are 0 and 2
LAYER_NORM_EPSILON = 1e-5  # PyTorch's
DEFAULT_HEAD = "sentence_classification_head"
POOLER_ACTIVATION = "tanh"

_FLAG = Maybe(TRUTH)
_KIND = Record(
    {},
    {
        "encoder_layers": Whole(1),
        "encoder_embed_dim": Whole(1),
        "encoder_ffn_embed_dim": Whole(1),
        "encoder_attention_heads": Whole(1),
        "dropout": Number(0, 1),
        "attention_dropout": Number(0, 1),
        "activation_dropout": Maybe(Number(0, 1)),
        "encoder_layerdrop": Maybe(Number(0, 1)),
        "pooler_dropout": Number(0, 1),
        "activation_fn": TEXT,
        "pooler_activation_fn": TEXT,
        "criterion": Maybe(TEXT),
        "regression_target": _FLAG,
        "classification_head_name": Maybe(TEXT),
        "ranking_head_name": Maybe(TEXT),
    },
)
# What a field is where a checkpoint does not say it (`base_architecture`).
_DEFAULTS = {
    "encoder_layers": 12,
    "encoder_embed_dim": 768,
    "encoder_ffn_embed_dim": 3072,
    "encoder_attention_heads": 12,
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "activation_dropout": None,
    "encoder_layerdrop": None,
    "pooler_dropout": 0.0,
    "activation_fn": "gelu",
    "pooler_activation_fn": POOLER_ACTIVATION,
}
# What would make another model of it -> the values that mean that it is not so.
_REFUSED = {
    "no_token_positional_embeddings": (None, False),
    "encoder_learned_pos": (None, True),
    "layernorm_embedding": (None, True),
    "no_scale_embedding": (None, True),
    "adaptive_input": (None, False),
    "encoder_layers_to_keep": (None, ""),
    "spectral_norm_classification_head": (None, False),
}
# Ours -> the names in fairseq, the first of which is written.
_ACTIVATIONS = {
    "gelu": ("gelu",),
    "gelu_tanh": ("gelu_accurate", "gelu_fast"),
    "relu": ("relu",),
}
_KNOWN = {theirs: ours for ours, names in _ACTIVATIONS.items() for theirs in names}

# How a classification head is trained: `problem_type` or class of Transformers -> criterion.
MULTIPLE_CHOICE = "RobertaForMultipleChoice"
_RANKING, _PREDICTION = "sentence_ranking", "sentence_prediction"


def read_settings(content: dict[str, Any]) -> dict[str, Any]:
    """The settings of a checkpoint in one dict, with the defaults of those that it leaves out.

    Args:
        content: what the file holds.

    Raises:
        InputError: there are none, or one is mangled; names it.
    """
    place, settings = "args", content.get("args")
    if settings is None and isinstance(content.get("cfg"), dict):
        place, settings = "cfg.model", _flattened(content["cfg"])
    if not isinstance(settings, dict):
        raise InputError("holds neither args nor cfg; it is no checkpoint of fairseq")
    if problem := _KIND.problem(settings, place):
        raise InputError(problem)
    for name, harmless in _REFUSED.items():
        if settings.get(name) not in harmless:
            raise InputError(
                f"{place}.{name} is {short(settings[name])}, which no model here has; expected "
                f"{harmless[-1]!r}"
            )
    return {**_DEFAULTS, **settings, "place": place}


def _flattened(cfg):
    """Of `cfg` the model's part, and from the others what says which head it has."""
    model = cfg.get("model")
    if not isinstance(model, dict):
        return None
    settings = {**model, "arch": model.get("_name")}
    for part in ("task", "criterion"):
        found = cfg.get(part)
        if isinstance(found, dict):
            names = ("regression_target", "classification_head_name", "ranking_head_name")
            settings |= {name: found[name] for name in names if name in found}
            settings[part] = found.get("_name")
    return settings


def config_of(
    settings: dict[str, Any], *, vocabulary_size: int, num_positions: int, tied: bool
) -> RobertaConfig:
    """The config for the settings of a checkpoint.

    Args:
        vocabulary_size, num_positions: rows of the embeddings.
        tied: whether the output matrix is the token embedding.

    Raises:
        InputError: a value does not fit.
    """
    place, activation = settings["place"], settings["activation_fn"]
    if activation not in _KNOWN:
        raise InputError(
            f"{place}.activation_fn is {short(activation)}; this library has {', '.join(_KNOWN)}"
        )
    if num_positions <= PAD_TOKEN_ID + 1:
        raise InputError(f"embed_positions.weight has {num_positions} rows, which hold no position")
    return RobertaConfig(
        vocabulary_size=vocabulary_size,
        num_layers=settings["encoder_layers"],
        num_heads=settings["encoder_attention_heads"],
        hidden_dim=settings["encoder_embed_dim"],
        intermediate_dim=settings["encoder_ffn_embed_dim"],
        max_sequence_length=num_positions - PAD_TOKEN_ID - 1,
        num_token_types=0,
        dropout=settings["dropout"],
        attention_dropout=settings["attention_dropout"],
        activation_dropout=settings["activation_dropout"] or 0.0,
        layer_drop=settings["encoder_layerdrop"] or 0.0,
        layer_norm_epsilon=LAYER_NORM_EPSILON,
        hidden_activation=_KNOWN[activation],
        pad_token_id=PAD_TOKEN_ID,
        tie_word_embeddings=tied,
    )


def head_kind(settings: dict[str, Any], outputs: int) -> tuple[str, str | None]:
    """What Transformers calls a classification head: its class and `problem_type`.

    A head of one output is a regression unless it ranks sentences, as for CommonsenseQA.

    Args:
        outputs: of the head.
    """
    names = (settings.get("criterion"), settings.get("task"))
    if _RANKING in names and outputs == 1:
        return MULTIPLE_CHOICE, None
    is_number = settings.get("regression_target") or outputs == 1
    kind = "regression" if is_number else "single_label_classification"
    return "RobertaForSequenceClassification", kind


def check_config(config: RobertaConfig) -> None:
    """Raises an InputError if fairseq's model cannot have a config; names the field."""
    needed = {
        "layer_norm_epsilon": (LAYER_NORM_EPSILON,),
        "pad_token_id": (PAD_TOKEN_ID,),
        "hidden_activation": tuple(_ACTIVATIONS),
    }
    for name, values in needed.items():
        value = getattr(config, name)
        if value not in values:
            raise InputError(
                f"{name} is {value!r}; fairseq's RoBERTa has {', '.join(map(repr, values))}"
            )


def args_of(config: RobertaConfig, *, kind: tuple[str, str | None] | None, **more) -> Namespace:
    """The namespace that makes fairseq build a model of a config.

    The task is always `masked_lm`, which asks for no data but `dict.txt`; the criterion says what
    the head was trained for.

    Args:
        kind: class and `problem_type` of a classification head; None for none.
        **more: further settings.
    """
    if kind is None:
        of_head = {"criterion": "masked_lm"}
    elif kind[0] == MULTIPLE_CHOICE:
        of_head = {"criterion": _RANKING, "ranking_head_name": DEFAULT_HEAD}
    else:
        of_head = {
            "criterion": _PREDICTION,
            "classification_head_name": DEFAULT_HEAD,
            "regression_target": kind[1] == "regression",
        }
    length = config.max_sequence_length
    return Namespace(
        arch="roberta",
        task="masked_lm",
        **of_head,
        data=".",
        encoder_layers=config.num_layers,
        encoder_embed_dim=config.hidden_dim,
        encoder_ffn_embed_dim=config.intermediate_dim,
        encoder_attention_heads=config.num_heads,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        activation_dropout=config.activation_dropout,
        encoder_layerdrop=config.layer_drop,
        activation_fn=_ACTIVATIONS[config.hidden_activation][0],
        pooler_activation_fn=POOLER_ACTIVATION,
        max_positions=length,
        tokens_per_sample=length,
        untie_weights_roberta=not config.tie_word_embeddings,
        **more,
    )
