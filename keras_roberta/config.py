"""`RobertaConfig`: the size and settings of a RoBERTa encoder, checked when it is made."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.json_kinds import short
from keras_roberta.unknown_arguments import named_arguments

INITIALIZERS = ("normal", "truncated_normal", "glorot_uniform")
ATTENTION = ("auto", "plain", "blocks", "compiled", "fused")
# Ours -> the names in Hugging Face's config.json, the first of which is written.
_HUGGING_FACE_ACTIVATIONS = {
    "gelu": ("gelu", "gelu_python"),
    "gelu_tanh": (
        *("gelu_pytorch_tanh", "gelu_new", "gelu_fast"),
        *("gelu_python_tanh", "gelu_accurate"),
    ),
    "quick_gelu": ("quick_gelu",),
    "relu": ("relu",),
    "silu": ("silu", "swish"),
}
ACTIVATIONS = tuple(_HUGGING_FACE_ACTIVATIONS)

# tiny, mini and small have the sizes of the compact BERTs (Turc et al., 2019, table 1), base and
# large those of RoBERTa (Liu et al., 2019, section 4), xlm-* those of XLM-R (Conneau et al., 2020,
# section 3). Models narrower than base start with larger weights, by the square root of
# 768 / hidden_dim, so that a layer's output is as large as in base.
_NAMED = {
    "tiny": dict(
        num_layers=2, num_heads=2, hidden_dim=128, intermediate_dim=512, initializer_range=0.05
    ),
    "mini": dict(
        num_layers=4, num_heads=4, hidden_dim=256, intermediate_dim=1024, initializer_range=0.035
    ),
    "small": dict(
        num_layers=4, num_heads=8, hidden_dim=512, intermediate_dim=2048, initializer_range=0.025
    ),
    "base": dict(num_layers=12, num_heads=12, hidden_dim=768, intermediate_dim=3072),
    "large": dict(num_layers=24, num_heads=16, hidden_dim=1024, intermediate_dim=4096),
}
_NAMED["xlm-base"] = {**_NAMED["base"], "vocabulary_size": 250_002}
_NAMED["xlm-large"] = {**_NAMED["large"], "vocabulary_size": 250_002}
SIZES = tuple(_NAMED)  # what `RobertaConfig.named` knows

# Ours -> the key in Hugging Face's config.json.
_HUGGING_FACE_KEYS = {
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
_HUGGING_FACE_REFUSED = {
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "is_encoder_decoder": (None, False),
    "position_embedding_type": (None, "absolute"),
    "pruned_heads": (None, {}),
    "quantization_config": (None, {}),
}
# More than any model has: a number beyond is a mistake, and would take all memory, or for ever.
_LARGEST = {
    "vocabulary_size": 1 << 24,
    "num_layers": 1000,
    "num_heads": 1 << 12,
    "hidden_dim": 1 << 16,
    "intermediate_dim": 1 << 18,
    "max_sequence_length": 1 << 22,
    "num_token_types": 1 << 16,
}
_HUGGING_FACE_MODEL_TYPES = ("roberta", "xlm-roberta", "camembert")


@named_arguments
@dataclasses.dataclass(frozen=True)
class RobertaConfig:
    """Hyper-parameters of a RoBERTa encoder. The defaults are roberta-base.

    Attributes:
        vocabulary_size: rows of the token embedding.
        num_layers: encoder blocks.
        num_heads: attention heads; must divide `hidden_dim`.
        hidden_dim: width of the residual stream.
        intermediate_dim: width of the feed-forward layer.
        max_sequence_length: longest input in tokens, with special tokens. The position table has
            `max_sequence_length + pad_token_id + 1` rows: the first position is
            `pad_token_id + 1`.
        num_token_types: rows of the token type table. RoBERTa has one, which is added to every
            token.
        dropout: rate on the embeddings and on the outputs of attention and feed-forward layers.
        attention_dropout: rate on attention probabilities.
        activation_dropout: rate behind the activation of the feed-forward layers (fairseq's
            `activation_dropout`; Ott et al., 2019). RoBERTa has none.
        layer_drop: probability with which a step of training leaves out a block, each block by
            itself, for all rows of a batch together (LayerDrop; Fan et al., 2020, section 3).
            Nothing is scaled for it. A step takes no less time by it.
        layer_norm_epsilon: added to the variance in layer norms.
        hidden_activation: of the feed-forward layers: "gelu" (as RoBERTa), "gelu_tanh" (its
            approximation), "quick_gelu" (x sigmoid(1.702 x)), "relu" or "silu".
        initializer: how weights start: "normal" (as RoBERTa), "truncated_normal" (as BERT) or
            "glorot_uniform" (as fairseq's linear layers; embedding tables stay normal).
        initializer_range: standard deviation of the first two, and of embedding tables.
        seed: makes the initial weights repeatable; None uses the seed of
            `keras.utils.set_random_seed`.
        start_token_id: id of `<s>`.
        pad_token_id: id of `<pad>`.
        end_token_id: id of `</s>`.
        tie_word_embeddings: whether the matrix behind the head for masked tokens is the token
            embedding; False gives it one of its own.
        attention: how attention is computed; the result is the same. "plain" computes all scores
            at once, "blocks" one block of queries after the other (memory grows linearly with the
            length), "compiled" is "plain" compiled by XLA, "fused" is Keras's operation, a flash
            kernel where the backend has one. "auto" chooses by length and device.
        remat: gradient checkpointing. Only the input of each block is kept for the backward pass
            and the rest is computed again: less memory, more time, the same gradients.

    Raises:
        InputError: a value does not fit; the message names the field and the value.
    """

    vocabulary_size: int = 50_265
    num_layers: int = 12
    num_heads: int = 12
    hidden_dim: int = 768
    intermediate_dim: int = 3072
    max_sequence_length: int = 512
    num_token_types: int = 1
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation_dropout: float = 0.0
    layer_drop: float = 0.0
    layer_norm_epsilon: float = 1e-5
    hidden_activation: str = "gelu"
    initializer: str = "normal"
    initializer_range: float = 0.02
    seed: int | None = None
    start_token_id: int = 0
    pad_token_id: int = 1
    end_token_id: int = 2
    tie_word_embeddings: bool = True
    attention: str = "auto"
    remat: bool = False

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "int" or (field.type == "int | None" and value is not None):
                self._check(field.name, _is_integer(value), "an integer")
                object.__setattr__(self, field.name, int(value))
            elif field.type == "bool":
                self._check(field.name, isinstance(value, bool), "True or False")
            elif field.type == "float":
                self._check(field.name, _is_number(value), "a number")
                object.__setattr__(self, field.name, float(value))
                self._check(field.name, math.isfinite(getattr(self, field.name)), "finite")
        for name, most in _LARGEST.items():
            self._check(name, getattr(self, name) <= most, f"at most {most}")
            least = int(name != "num_token_types")
            self._check(name, getattr(self, name) >= least, f"at least {least}")
        for name in ("dropout", "attention_dropout", "activation_dropout", "layer_drop"):
            self._check(name, 0 <= getattr(self, name) < 1, "in [0, 1)")
        for name in ("layer_norm_epsilon", "initializer_range"):
            self._check(name, getattr(self, name) > 0, "positive")
        self._check("initializer", self.initializer in INITIALIZERS, f"one of {INITIALIZERS}")
        self._check("attention", self.attention in ATTENTION, f"one of {ATTENTION}")
        self._check(
            "hidden_activation", self.hidden_activation in ACTIVATIONS, f"one of {ACTIVATIONS}"
        )
        self._check(
            "hidden_dim",
            self.hidden_dim % self.num_heads == 0,
            f"divisible by num_heads={self.num_heads}",
        )
        for name in ("start_token_id", "pad_token_id", "end_token_id"):
            self._check(
                name,
                0 <= getattr(self, name) < self.vocabulary_size,
                f"an id below vocabulary_size={self.vocabulary_size}",
            )

    def _check(self, name: str, holds: bool, requirement: str):
        if not holds:
            raise InputError(
                f"RobertaConfig.{name} must be {requirement}; got {short(getattr(self, name))}"
            )

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden_dim // self.num_heads

    @property
    def num_positions(self) -> int:
        """Rows of the position table. The first `pad_token_id + 1` are not used by tokens."""
        return self.max_sequence_length + self.pad_token_id + 1

    @classmethod
    def named(cls, name: str, **changes: Any) -> RobertaConfig:
        """The config of a known size: tiny, mini, small, base, large, xlm-base or xlm-large.

        Args:
            name: of the size.
            **changes: other values for any fields.

        Raises:
            InputError: the name or a field is not known, or a value does not fit.

        >>> RobertaConfig.named("base").hidden_dim
        768
        >>> RobertaConfig.named("tiny", vocabulary_size=8000).vocabulary_size
        8000
        """
        if name not in _NAMED:
            raise InputError(f"no RobertaConfig is named {name!r}; choose from {', '.join(_NAMED)}")
        return cls.from_dict({**_NAMED[name], **changes})

    def replace(self, **changes: Any) -> RobertaConfig:
        """A copy with other values for some fields; all are checked again."""
        return RobertaConfig.from_dict({**self.to_dict(), **changes})

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values; `from_dict` is its inverse."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RobertaConfig:
        """The inverse of `to_dict`; unknown fields are an error."""
        return cls(**values)

    @classmethod
    def from_hugging_face(cls, values: Mapping[str, Any]) -> RobertaConfig:
        """The config for the content of a Hugging Face `config.json`.

        Keys that are missing take the defaults of Transformers' `RobertaConfig`. Two of them are
        not the defaults here: an epsilon of 1e-12, and two token types.

        Raises:
            InputError: the file is of another architecture, or has a setting that RoBERTa lacks.
        """
        model_type = values.get("model_type")
        if model_type not in _HUGGING_FACE_MODEL_TYPES:
            raise InputError(
                f"config.json: model_type is {short(model_type)}; this library reads "
                f"{', '.join(_HUGGING_FACE_MODEL_TYPES)}"
            )
        for key, harmless in _HUGGING_FACE_REFUSED.items():
            if values.get(key) not in harmless:
                raise InputError(
                    f"config.json: {key} is {short(values[key])}, which no model here has; "
                    f"expected {harmless[-1]!r} or no such entry"
                )
        activation = values.get("hidden_act", "gelu")
        known = {
            theirs: ours for ours, names in _HUGGING_FACE_ACTIVATIONS.items() for theirs in names
        }
        if not isinstance(activation, str) or activation not in known:
            raise InputError(
                f"config.json: hidden_act is {short(activation)}; this library has "
                f"{', '.join(known)}"
            )
        defaults = {"layer_norm_epsilon": 1e-12, "num_token_types": 2}
        fields = {
            ours: values.get(theirs, defaults.get(ours, getattr(cls, ours)))
            for ours, theirs in _HUGGING_FACE_KEYS.items()
        }
        for name in ("start_token_id", "end_token_id"):  # which Transformers' model does not read
            if fields[name] is None:
                fields[name] = getattr(cls, name)
            elif isinstance(fields[name], list) and fields[name]:  # several that end a text
                fields[name] = fields[name][0]
        offset = fields["pad_token_id"] + 1 if _is_integer(fields["pad_token_id"]) else 0
        positions = values.get("max_position_embeddings", 512)
        if not _is_integer(positions) or positions <= offset:
            raise InputError(
                f"config.json: max_position_embeddings must be an integer above {offset}; "
                f"got {short(positions)}"
            )
        return cls(
            max_sequence_length=positions - offset, hidden_activation=known[activation], **fields
        )

    def to_hugging_face(self) -> dict[str, Any]:
        """The content of a `config.json` that Transformers reads as its `RobertaConfig`."""
        return {
            "model_type": "roberta",
            **{theirs: getattr(self, ours) for ours, theirs in _HUGGING_FACE_KEYS.items()},
            "max_position_embeddings": self.num_positions,
            "hidden_act": _HUGGING_FACE_ACTIVATIONS[self.hidden_activation][0],
            "position_embedding_type": "absolute",
        }


def _is_integer(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and (isinstance(value, float) or abs(value) < 2**1000)  # as a float
