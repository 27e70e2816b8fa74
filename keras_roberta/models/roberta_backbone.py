"""The RoBERTa encoder as a functional Keras model."""

import keras
import keras_hub

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.checkpoints.preset_mixin import PresetMixin
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError
from keras_roberta.layers import RobertaEmbeddings, RobertaEncoder
from keras_roberta.models.extended_positions import extended_positions

OPTIONAL_INPUTS = ("token_type_ids", "segment_ids")


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaBackbone(PresetMixin, keras_hub.models.Backbone):
    """RoBERTa (Liu et al., 2019): token ids in, one vector a token out.

    Args:
        config: a `RobertaConfig` (or its `to_dict()`).
        optional_inputs: any of "token_type_ids" and "segment_ids", which the model then takes
            too, as int (batch, length). With "segment_ids" several documents share a row: each
            attends to itself alone and counts its own positions.
        dtype: dtype policy, for example "mixed_bfloat16".

    Call arguments:
        inputs: dict of `token_ids` and `padding_mask`, both int (batch, length); the mask is 1
            for tokens.

    Returns:
        float (batch, length, hidden_dim)

    Example:
    ```python
    backbone = kr.RobertaBackbone(kr.RobertaConfig.named("tiny"))
    backbone({"token_ids": [[0, 31414, 2]], "padding_mask": [[1, 1, 1]]})  # (1, 3, 128)
    ```
    """

    def __init__(self, config, optional_inputs=(), dtype=None, **kwargs):
        if not isinstance(config, RobertaConfig):
            config = RobertaConfig.from_dict(config)
        unknown = set(optional_inputs) - set(OPTIONAL_INPUTS)
        if unknown:
            raise ValueError(f"optional_inputs may hold {OPTIONAL_INPUTS}; got {sorted(unknown)}")

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
        self.start_token_index = 0

    def _encode(self, inputs, **kwargs):
        packing = {k: v for k, v in inputs.items() if k == "segment_ids"}
        x = self.embeddings(**inputs)  # (batch, length, hidden_dim)
        return self.encoder(x, inputs["padding_mask"], **packing, **kwargs)

    def output_at(self, positions):
        """The output for models that need some tokens alone, from `self.input`.

        The last block is computed for these tokens, which saves most of its work.

        Args:
            positions: as in `gather_tokens`; integers are symbolic.

        Returns:
            symbolic float (batch, positions, hidden_dim), or (batch, length, hidden_dim) for all
        """
        return self._encode(self.input, positions=positions)

    def get_config(self):
        return {
            **super().get_config(),
            "config": self.config.to_dict(),
            "optional_inputs": list(self.optional_inputs),
        }

    def default_lora_layer_names(self):
        return ["query_key_value"]

    def enable_lora(self, rank, target_layer_names=None):
        """Freezes the encoder but for low-rank adapters (Hu et al., 2021) of its
        query-key-value kernels, or of the layers named.

        Biases are frozen too, unlike in KerasHub, whose adapter files do not hold them.
        """
        super().enable_lora(rank, target_layer_names)
        for layer in self._flatten_layers(include_self=False):
            if getattr(layer, "lora_enabled", False) and getattr(layer, "bias", None) is not None:
                layer.bias.trainable = False

    def weights_by_name(self):
        """Every weight under the name that `checkpoints` knows it by.

        Returns:
            dict of "embeddings/token", "encoder/block_0/attention/output/kernel", ... to variables.
        """
        e = self.embeddings
        named = {
            "embeddings/token": e.token_embedding.embeddings,
            "embeddings/position": e.position_embedding.embeddings,
        }
        if e.token_type_embedding is not None:
            named["embeddings/token_type"] = e.token_type_embedding.embeddings
        layers = {"embeddings/layer_norm": e.norm}
        for i, block in enumerate(self.encoder.blocks):
            layers |= {
                f"encoder/block_{i}/attention/query_key_value": block.attention.query_key_value,
                f"encoder/block_{i}/attention/output": block.attention.output_dense,
                f"encoder/block_{i}/attention_layer_norm": block.attention_norm,
                f"encoder/block_{i}/intermediate": block.intermediate_dense,
                f"encoder/block_{i}/output": block.output_dense,
                f"encoder/block_{i}/output_layer_norm": block.output_norm,
            }
        for name, layer in layers.items():
            named |= layer_weights(name, layer)
        return named

    @classmethod
    def from_preset(
        cls,
        preset,
        load_weights=True,
        max_sequence_length=None,
        extend_positions="copy",
        attention=None,
        remat=None,
        encoder_dropout=None,
        **kwargs,
    ):
        """Builds the encoder from a preset; see `RobertaTask.from_preset`.

        Args:
            max_sequence_length: more positions than the preset has, in tokens; see
                `extended_positions` for the two ways to `extend_positions`, "copy" and
                "interpolate".
            attention, remat: as in `RobertaConfig`; None for what the preset says.
            encoder_dropout: rate on hidden states and attention probabilities; None for what the
                preset says, which may have been pre-trained without.
            **kwargs: constructor arguments.
        """
        source = open_checkpoint(preset)
        changes = {
            "attention": attention,
            "remat": remat,
            "dropout": encoder_dropout,
            "attention_dropout": encoder_dropout,
        }
        config = source.config.replace(**{k: v for k, v in changes.items() if v is not None})
        arguments = source.backbone_settings | kwargs
        if not load_weights:
            length = max_sequence_length or config.max_sequence_length
            return cls(config.replace(max_sequence_length=length), **arguments)
        backbone = cls(config, **arguments)
        source.load_backbone_weights(backbone)
        if max_sequence_length is None:
            return backbone
        longer = cls(config.replace(max_sequence_length=max_sequence_length), **arguments)
        weights = backbone.weights_by_name()
        table = extended_positions(
            weights.pop("embeddings/position"),
            longer.config.max_sequence_length,
            config.pad_token_id + 1,
            extend_positions,
        )
        for name, weight in longer.weights_by_name().items():
            weight.assign(weights.get(name, table))
        return longer


def check_sequence_length(preprocessor, backbone):
    """Raises an InputError if a preprocessor makes rows that the model has no positions for."""
    length = getattr(preprocessor, "sequence_length", None)
    longest = backbone.config.max_sequence_length
    if length is not None and length > longest:
        raise InputError(
            f"sequence_length: the preprocessor cuts at {length} tokens, but the model has only "
            f"{longest} positions; make it with sequence_length={longest} or less"
        )


def layer_weights(name, layer):
    """The two weights of a dense layer or layer norm, as "name/kernel", "name/bias" and so on."""
    parts = ("gamma", "beta") if hasattr(layer, "gamma") else ("kernel", "bias")
    return {f"{name}/{part}": getattr(layer, part) for part in parts}
