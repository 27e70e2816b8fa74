"""`RobertaConfig`: the size and settings of a RoBERTa encoder, checked when it is made."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.json_kinds import short
from keras_roberta.hugging_face_config import ACTIVATION_NAMES, fields_of, is_integer, values_of
from keras_roberta.unknown_arguments import named_arguments

INITIALIZERS = ("normal", "truncated_normal", "glorot_uniform", "depth_scaled")
PARTS = ("attention", "feed_forward")  # of a layer, each with its layer norm
PARAMETER_SHARING = ("none", "all", *PARTS)
ATTENTION = ("auto", "plain", "blocks", "compiled", "fused")
ACTIVATIONS = tuple(ACTIVATION_NAMES)

# tiny, mini and small have the sizes of the compact BERTs (Turc et al., 2019, table 1), base and
# large those of RoBERTa (Liu et al., 2019, section 4), xlm-base and xlm-large those of XLM-R
# (Conneau et al., 2020, section 3), xlm-xl and xlm-xxl those of its larger versions (Goyal et al.,
# 2021, table 1, with the rows of the released embeddings), whose layer norms stand in front, none
# behind the embeddings. Models narrower than base start with larger weights, by the square root of
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
_XL = dict(vocabulary_size=250_880, num_heads=32, norm_first=True, embedding_norm=False)
_NAMED["xlm-xl"] = {**_XL, "num_layers": 36, "hidden_dim": 2560, "intermediate_dim": 10_240}
_NAMED["xlm-xxl"] = {**_XL, "num_layers": 48, "hidden_dim": 4096, "intermediate_dim": 16_384}
SIZES = tuple(_NAMED)  # what `RobertaConfig.named` knows

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


class FieldError(InputError):
    """Values of a `RobertaConfig` do not fit.

    Attributes:
        names: of the fields.
        problem: the rest of the message.
    """

    def __init__(self, names: tuple[str, ...], problem: str):
        self.names, self.problem = names, problem
        super().__init__(f"RobertaConfig.{' and '.join(names)} {problem}")

    def __reduce__(self):  # as it comes from another process
        return type(self), (self.names, self.problem)


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
            itself, for all rows together that a replica computes at once (LayerDrop; Fan et al.,
            2020, section 3). Nothing is scaled for it. A step takes no less time by it.
        layer_norm_epsilon: added to the variance in layer norms.
        hidden_activation: of the feed-forward layers: "gelu" (as RoBERTa), "gelu_tanh" (its
            approximation), "quick_gelu" (x sigmoid(1.702 x)), "relu" or "silu".
        initializer: how weights start: "normal" (as RoBERTa), "truncated_normal" (as BERT),
            "glorot_uniform" (as fairseq's linear layers; embedding tables stay normal) or
            "depth_scaled" (normal, but the two matrices of a layer whose products are added to its
            input are smaller by the square root of 2 * num_layers: Radford et al., 2019, section
            2.3).
        initializer_range: standard deviation of all but Glorot's, and of embedding tables.
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
        parameter_sharing: what layers have one copy of (Lan et al., 2020, section 3.1): "none",
            "all" of their weights, "attention" with its layer norm, or "feed_forward" with its
            layer norm. Each layer still takes its time.
        sharing_groups: how many groups of consecutive layers there are, each with a copy of its
            own; 1 shares over all layers.
        embedding_dim: width of the embedding tables, if it is to be less than `hidden_dim`: a
            projection follows them, and the head for masked tokens ends in this width (Lan et al.,
            2020, section 3.1). None for `hidden_dim`.
        norm_first: whether layer norms stand in front of attention and feed-forward layers, and one
            more behind the last layer (pre-LN; Xiong et al., 2020, section 3), in place of behind
            them.
        embedding_norm: whether there is a layer norm behind the sum of the embeddings. XLM-R XL and
            XXL have none.

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
    parameter_sharing: str = "none"
    sharing_groups: int = 1
    embedding_dim: int | None = None
    norm_first: bool = False
    embedding_norm: bool = True

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "int" or (field.type == "int | None" and value is not None):
                self._check(field.name, is_integer(value), "an integer")
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
        self._check_options()
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

    def _check_options(self):
        """Of what RoBERTa has not."""
        known, groups = PARAMETER_SHARING, self.sharing_groups
        self._check("parameter_sharing", self.parameter_sharing in known, f"one of {known}")
        requirement = f"from 1 to num_layers={self.num_layers}"
        self._check("sharing_groups", 1 <= groups <= self.num_layers, requirement)
        if self.parameter_sharing == "none" and groups > 1:
            raise FieldError(
                ("sharing_groups",),
                f"{groups} needs a parameter_sharing of all, attention or feed_forward",
            )
        if self.embedding_dim is not None:
            fits = 1 <= self.embedding_dim < self.hidden_dim
            requirement = f"at least 1 and less than hidden_dim={self.hidden_dim}, or left out"
            self._check("embedding_dim", fits, requirement)

    def _check(self, name: str, holds: bool, requirement: str):
        if not holds:
            raise FieldError((name,), f"must be {requirement}; got {short(getattr(self, name))}")

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden_dim // self.num_heads

    @property
    def num_positions(self) -> int:
        """Rows of the position table. The first `pad_token_id + 1` are not used by tokens."""
        return self.max_sequence_length + self.pad_token_id + 1

    @property
    def embedding_width(self) -> int:
        """Columns of the embedding tables."""
        return self.hidden_dim if self.embedding_dim is None else self.embedding_dim

    def owner(self, layer: int, part: str) -> int:
        """The layer whose weights a layer computes with: itself, or the first of its group.

        >>> config = RobertaConfig(num_layers=4, parameter_sharing="attention", sharing_groups=2)
        >>> [(config.owner(i, "attention"), config.owner(i, "feed_forward")) for i in range(4)]
        [(0, 0), (0, 1), (2, 2), (2, 3)]

        Args:
            layer: its number.
            part: "attention" or "feed_forward".
        """
        if self.parameter_sharing not in ("all", part):
            return layer
        group = layer * self.sharing_groups // self.num_layers
        return -(-group * self.num_layers // self.sharing_groups)

    def with_layers(self, num_layers: int) -> RobertaConfig:
        """A copy with another number of layers, and no more groups of them than layers.

        >>> config = RobertaConfig(parameter_sharing="all", sharing_groups=4)
        >>> [config.with_layers(n).sharing_groups for n in (6, 3)]
        [4, 3]
        """
        return self.replace(
            num_layers=num_layers, sharing_groups=min(self.sharing_groups, num_layers)
        )

    @property
    def encoder_parameters(self) -> int:
        """The weights of the encoder, those that layers share counted once.

        >>> RobertaConfig().encoder_parameters  # roberta-base, without its pooler
        124055040
        >>> RobertaConfig(parameter_sharing="all", embedding_dim=128).encoder_parameters
        13687040
        """
        h, i, e = self.hidden_dim, self.intermediate_dim, self.embedding_width
        tables = (self.vocabulary_size + self.num_positions + self.num_token_types) * e
        projection = 0 if self.embedding_dim is None else e * h + h
        sizes = {"attention": 4 * (h * h + h) + 2 * h, "feed_forward": 2 * h * i + i + h + 2 * h}
        layers = range(self.num_layers)
        blocks = sum(
            size * len({self.owner(i, part) for i in layers}) for part, size in sizes.items()
        )
        norms = (2 * e if self.embedding_norm else 0) + (2 * h if self.norm_first else 0)
        return tables + projection + blocks + norms

    def beyond_roberta(self) -> list[str]:
        """The fields by which an encoder computes otherwise than RoBERTa, as "norm_first=True".

        Shared weights are not among them: written once for each layer, they are RoBERTa's.
        """
        return [
            f"{name}={getattr(self, name)}"
            for name in ("embedding_dim", "norm_first", "embedding_norm")
            if getattr(self, name) != getattr(RobertaConfig, name)
        ]

    @classmethod
    def named(cls, name: str, **changes: Any) -> RobertaConfig:
        """The config of a known size: tiny, mini, small, base, large, xlm-base, xlm-large, xlm-xl
        or xlm-xxl, which has ten billion parameters.

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

        Keys that are missing take the defaults of Transformers' class for the `model_type`. Two of
        its `RobertaConfig` are not the defaults here: an epsilon of 1e-12, and two token types.

        Raises:
            InputError: the file is of another architecture, or has a setting that RoBERTa lacks.
        """
        return cls(**fields_of(values, cls))

    def to_hugging_face(self) -> dict[str, Any]:
        """The content of a `config.json` that Transformers reads as its `RobertaConfig`, or with
        `norm_first` as its `RobertaPreLayerNormConfig` or `XLMRobertaXLConfig`.

        Raises:
            InputError: no model of Transformers computes so.
        """
        return values_of(self)


def _is_number(value) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and (isinstance(value, float) or abs(value) < 2**1000)  # as a float
