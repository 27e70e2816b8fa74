"""The RoBERTa encoder as a functional Keras model."""

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
import keras_hub
from keras import ops

from keras_roberta.checkpoints.activation_ranges import ActivationRanges
from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.checkpoints.preset_mixin import PresetMixin, expanded
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError
from keras_roberta.layers import RobertaEmbeddings, RobertaEncoder
from keras_roberta.layers.attention import attention_bias
from keras_roberta.layers.gather import FIRST, first_token, rotated_to_first_token
from keras_roberta.layers.tensor import Tensor
from keras_roberta.models.config_changes import check_changes
from keras_roberta.models.extended_positions import check_extension, extended_positions
from keras_roberta.models.first_values import check_values, valued_when_assigned
from keras_roberta.models.kept_layers import check_layers, copy_layers
from keras_roberta.models.named_weights import encoder_variables
from keras_roberta.models.resized_vocabulary import checked_rows, copy_weights, special_tokens
from keras_roberta.models.token_inputs import TokenInputs, completed
from keras_roberta.training.keras_internals import (
    inner_layers,
    settle_quantized_policies,
    variables_without_values,
)
from keras_roberta.unknown_arguments import refuse_unknown

logger = logging.getLogger("keras_roberta")

OPTIONAL_INPUTS = ("token_type_ids", "segment_ids")
_FIELDS = tuple(field.name for field in dataclasses.fields(RobertaConfig))
_OF_CONSTRUCTOR = ("config", "optional_inputs", "dtype", "activation_ranges", "name", "trainable")
# Arguments of `RobertaBackbone.from_preset` that the `from_preset` of tasks hands on to it.
OF_BACKBONE = (
    *("dtype", "max_sequence_length", "extend_positions"),
    *("attention", "remat", "num_layers"),
    *("encoder_dropout", "attention_dropout", "activation_dropout", "layer_drop"),
)


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaBackbone(PresetMixin, TokenInputs, keras_hub.models.Backbone):
    """The RoBERTa encoder (Liu et al., 2019): token ids in, one vector for each token out.

    Args:
        config: a `RobertaConfig` (or its `to_dict()`).
        **kwargs: fields of the `RobertaConfig`, instead of it or besides it, such as
            `vocabulary_size` or `num_layers`. As in KerasHub, without a `config` `dropout` is the
            rate on attention probabilities too. And `name` and `trainable`.
        optional_inputs: further inputs of the model, any of "token_type_ids" and "segment_ids",
            both int (batch, length). With "segment_ids" several documents can share a row: tokens
            see only their own document, and its positions are counted from its beginning.
        dtype: dtype policy, for example "mixed_bfloat16".
        activation_ranges: `ActivationRanges`, or its `to_dict()`, which quantisation-aware training
            leaves in the attribute of this name; None for none.

    Call arguments:
        inputs: dict of `token_ids` and `padding_mask`, both int (batch, length); the mask is 1
            for tokens. Padding may stand in front, behind and between: positions count the tokens.
            Or token ids alone: those that are not `pad_token_id` are tokens.

    Returns:
        float (batch, length, hidden_dim)

    Raises:
        InputError: an argument is not known, or does not fit.

    Example:
    ```python
    backbone = kr.RobertaBackbone(kr.RobertaConfig.named("tiny"))
    backbone({"token_ids": [[0, 31414, 2]], "padding_mask": [[1, 1, 1]]})  # (1, 3, 128)
    ```
    """

    def __init__(
        self,
        config: RobertaConfig | dict[str, Any] | None = None,
        optional_inputs: Sequence[str] = (),
        dtype: str | keras.DTypePolicy | None = None,
        activation_ranges: ActivationRanges | dict[str, Any] | None = None,
        **kwargs,
    ):
        refuse_unknown("RobertaBackbone", kwargs, (*_OF_CONSTRUCTOR, *_FIELDS))
        fields = {name: kwargs.pop(name) for name in _FIELDS if name in kwargs}
        config = _config(config, fields)
        unknown = set(optional_inputs) - set(OPTIONAL_INPUTS)
        if unknown:
            raise InputError(f"optional_inputs may hold {OPTIONAL_INPUTS}; got {sorted(unknown)}")

        # === Layers ===
        self.embeddings = RobertaEmbeddings(config, dtype=dtype, name="embeddings")
        self.encoder = RobertaEncoder(config, dtype=dtype, name="encoder")
        self.token_embedding = self.embeddings.token_embedding

        # === Functional model ===
        inputs = {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in ("token_ids", "padding_mask", *optional_inputs)
        }
        super().__init__(inputs=inputs, outputs=self._encode(inputs), dtype=dtype, **kwargs)

        # === Config ===
        self.config = config
        self.optional_inputs = tuple(optional_inputs)
        if isinstance(activation_ranges, Mapping):
            activation_ranges = ActivationRanges.from_dict(activation_ranges)
        self.activation_ranges = activation_ranges
        self.start_token_index = 0
        settle_quantized_policies(self)

    @property
    def pad_token_id(self) -> int:
        return self.config.pad_token_id

    def _encode(self, inputs, **kwargs):
        packing = {k: v for k, v in inputs.items() if k == "segment_ids"}
        x = self.embeddings(**inputs)  # (batch, length, hidden_dim)
        return self.encoder(x, inputs["padding_mask"], **packing, **kwargs)

    def output_at(
        self,
        positions: Tensor | str | None,
        inputs: Mapping[str, keras.KerasTensor] | None = None,
    ) -> keras.KerasTensor:
        """The encoder's output for models whose head reads only some tokens.

        The last block is computed for these tokens alone, which saves most of its work. The result
        belongs to the functional model with the inputs `self.input`, or those of `inputs`.

        Args:
            positions: a symbolic int tensor (batch, positions); "first" for `<s>` alone, each row's
                first token, wherever padding stands; or None for all tokens.
            inputs: symbolic tensors in the place of `self.input`, by the same names.

        Returns:
            symbolic float (batch, positions, hidden_dim), or (batch, length, hidden_dim) for None
        """
        inputs = self.input if inputs is None else inputs
        if isinstance(positions, str) and positions == FIRST:
            # Whole numbers are moved, not the vectors: the first column is read without a gather.
            first = first_token(inputs["padding_mask"])
            inputs = {name: rotated_to_first_token(x, first) for name, x in inputs.items()}
        return self._encode(inputs, positions=positions)

    def resize_vocabulary(
        self, vocabulary_size: int | None = None, *, rows: Sequence[int] | None = None
    ) -> Self:
        """A model with the same weights and another number of tokens; see `resized_rows`.

        Args:
            vocabulary_size: rows of the token embedding.
            rows: instead of it, the old row of each new one, as `Tokenizer.trimmed` gives them.

        Raises:
            InputError: it leaves no row for a special token, or the model has adapters.
        """
        config = self.config
        if rows is None:
            config = config.replace(vocabulary_size=vocabulary_size)
        else:
            rows = checked_rows(rows, config.vocabulary_size)
            config = config.replace(vocabulary_size=len(rows), **special_tokens(config, rows))
        kept = {"dtype": self.dtype_policy, "activation_ranges": self.activation_ranges}
        resized = type(self)(config, self.optional_inputs, **kept)
        copy_weights(self, resized, rows)
        return resized

    # === What happens inside ===

    def hidden_states(self, inputs: Any) -> list[Tensor]:
        """The embeddings and each block's output, as Transformers' `output_hidden_states`.

        Args:
            inputs: as for calling the model.

        Returns:
            `num_layers + 1` tensors, float (batch, length, hidden_dim); the last is what the model
            returns.
        """
        x, encoder_inputs = self._embedded(inputs)
        return [x, *self.encoder(x, **encoder_inputs, return_hidden_states=True)]

    def attentions(self, inputs: Any) -> list[Tensor]:
        """The weights of attention of each block, as Transformers' `output_attentions`.

        They are computed a second time, beside the model, which never holds them all.

        Args:
            inputs: as for calling the model.

        Returns:
            `num_layers` tensors, float32 (batch, num_heads, length, length): how much of each token
            (last axis) goes into each (the one before it). What padding would see is meaningless.
        """
        x, encoder_inputs = self._embedded(inputs)
        bias = attention_bias(**encoder_inputs)
        states = [x, *self.encoder(x, **encoder_inputs, return_hidden_states=True)]
        return [
            block.attention.probabilities(block.attention_input(state), bias)
            for block, state in zip(self.encoder.blocks, states, strict=False)
        ]

    def _embedded(self, inputs):
        """The embeddings, and what else the encoder takes."""
        inputs = completed(inputs, self.input, pad_token_id=self.pad_token_id)
        inputs = {name: ops.convert_to_tensor(inputs[name], "int32") for name in self.input}
        taken = {name: inputs[name] for name in ("padding_mask", "segment_ids") if name in inputs}
        return self.embeddings(**inputs), taken

    def get_config(self):
        settings = {
            **super().get_config(),
            "config": self.config.to_dict(),
            "optional_inputs": list(self.optional_inputs),
        }
        if self.activation_ranges is not None:
            settings["activation_ranges"] = self.activation_ranges.to_dict()
        return settings

    def default_lora_layer_names(self):
        return ["query_key_value"]

    def enable_lora(self, rank: int, target_layer_names: list[str] | None = None) -> None:
        """Adds low-rank adapters (Hu et al., 2021) and freezes all other weights of the encoder.

        Biases are frozen too. KerasHub trains them, although its files of adapters do not hold
        them.

        Args:
            rank: of the adapters.
            target_layer_names: names of the layers that get one; the query-key-value products by
                default.
        """
        super().enable_lora(rank, target_layer_names)
        for layer in inner_layers(self):
            if getattr(layer, "lora_enabled", False) and getattr(layer, "bias", None) is not None:
                layer.bias.trainable = False

    def save_lora_weights(self, filepath):
        super().save_lora_weights(expanded(filepath))

    def load_lora_weights(self, filepath):
        super().load_lora_weights(expanded(filepath))

    def weights_by_name(self) -> dict[str, keras.Variable]:
        """Every weight by the name that the checkpoint formats use for it.

        Returns:
            dict from "embeddings/token", "encoder/block_0/attention/output/kernel" and so on to
            the variables. One that layers share stands there for each of them.

        Raises:
            InputError: a weight is quantised.
        """
        return encoder_variables(self.embeddings, self.encoder)

    @classmethod
    def from_preset(
        cls,
        preset: str | os.PathLike,
        load_weights: bool = True,
        max_sequence_length: int | None = None,
        extend_positions: str = "copy",
        attention: str | None = None,
        remat: bool | None = None,
        encoder_dropout: float | None = None,
        attention_dropout: float | None = None,
        activation_dropout: float | None = None,
        layer_drop: float | None = None,
        num_layers: int | None = None,
        **kwargs,
    ) -> Self:
        """Makes the encoder of a checkpoint.

        Args:
            preset: a directory (a preset of this library, or a checkpoint of Hugging Face, fairseq
                or KerasHub as downloaded), or "hf://organisation/name".
            load_weights: False for random weights with the checkpoint's sizes.
            max_sequence_length: longest input in tokens, if it is to be more than the checkpoint's.
            extend_positions: where the further positions come from: "copy" repeats the known ones,
                "interpolate" stretches them. See `extended_positions`.
            attention: as in `RobertaConfig`; None for the checkpoint's setting.
            remat: as in `RobertaConfig`; None for the checkpoint's setting.
            encoder_dropout: dropout rate on hidden states and attention probabilities; None for
                the checkpoint's, which is 0 if it was pre-trained without.
            attention_dropout: that on attention probabilities alone; None for `encoder_dropout`.
            activation_dropout, layer_drop: as in `RobertaConfig`; None for the checkpoint's.
            num_layers: so many of the checkpoint's layers, evenly spaced, see `layers_to_keep`;
                None for all.
            **kwargs: other arguments of the constructor, such as `dtype`.

        Raises:
            InputError: names the file, tensor, field or argument that is wrong.
        """
        known = (*OF_BACKBONE, *_OF_CONSTRUCTOR, *_FIELDS, "load_weights")
        refuse_unknown(f"{cls.__name__}.from_preset", kwargs, set(known) - {"config"})
        source = open_checkpoint(preset)
        changes = {
            "attention": attention,
            "remat": remat,
            "dropout": encoder_dropout,
            "attention_dropout": (
                encoder_dropout if attention_dropout is None else attention_dropout
            ),
            "activation_dropout": activation_dropout,
            "layer_drop": layer_drop,
        }
        changes = {name: value for name, value in changes.items() if value is not None}
        changes |= {name: kwargs.pop(name) for name in _FIELDS if name in kwargs}
        config = source.config.replace(**changes)
        check_layers(num_layers, config.num_layers)
        given = {name: value for name, value in kwargs.items() if value is not None}
        arguments = source.backbone_settings | given
        if not load_weights:
            length = max_sequence_length or config.max_sequence_length
            config = config.with_layers(num_layers or config.num_layers)
            return cls(config.replace(max_sequence_length=length), **arguments)
        check_changes(changes, source)
        if max_sequence_length is not None:  # before the weights are read
            wanted = config.replace(max_sequence_length=max_sequence_length).max_sequence_length
            check_extension(config.max_sequence_length, wanted, extend_positions)
        source.check_backbone()
        backbone = cls.without_weights(config, **arguments)
        with valued_when_assigned(backbone):
            source.load_backbone_weights(backbone)
        if unused := ", ".join(source.unused_weights()):
            logger.warning("%s: no model here has %s; they are left out", source.directory, unused)
        if num_layers is not None:
            whole = backbone
            backbone = cls.without_weights(config.with_layers(num_layers), **arguments)
            with valued_when_assigned(backbone):
                copy_layers(whole, backbone)
        if max_sequence_length is None:
            return backbone
        config = backbone.config.replace(max_sequence_length=max_sequence_length)
        longer = cls.without_weights(config, **arguments)
        weights = backbone.weights_by_name()
        table = extended_positions(
            weights.pop("embeddings/position"),
            longer.config.max_sequence_length,
            config.pad_token_id + 1,
            extend_positions,
        )
        with valued_when_assigned(longer):
            for name, weight in longer.weights_by_name().items():
                weight.assign(weights.get(name, table))
        return longer

    @classmethod
    def without_weights(cls, *args, **kwargs) -> Self:
        """A model whose weights have shapes and dtypes, but no values and no memory.

        It can be counted (`count_params`), summarised and called on symbolic tensors, of any size;
        it cannot compute, and is not saved.

        Args:
            *args, **kwargs: of the constructor.

        >>> config = RobertaConfig.named("base")
        >>> RobertaBackbone.without_weights(config).count_params()
        124055040
        """
        with variables_without_values():
            return cls(*args, **kwargs)

    def check_values(self):
        check_values(self)


def _config(config, fields) -> RobertaConfig:
    """A config, a dict of its fields or None, and changes to it."""
    if config is None:
        if not fields:
            raise InputError(
                "RobertaBackbone: give a RobertaConfig, or its fields, such as vocabulary_size, "
                "num_layers, num_heads, hidden_dim and intermediate_dim"
            )
        if "dropout" in fields:
            fields = {"attention_dropout": fields["dropout"], **fields}
        return RobertaConfig(**fields)
    if isinstance(config, Mapping):
        config = RobertaConfig.from_dict(config)
    if not isinstance(config, RobertaConfig):
        raise InputError(
            f"RobertaBackbone: config must be a RobertaConfig; got {config!r:.60}; give its fields "
            "by name, such as vocabulary_size=…"
        )
    return config.replace(**fields) if fields else config
