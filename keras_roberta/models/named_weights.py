"""The weights of an encoder and of single layers by the names that the checkpoint formats use."""

import keras

from keras_roberta.errors import InputError
from keras_roberta.layers import RobertaEmbeddings, RobertaEncoder


def encoder_variables(
    embeddings: RobertaEmbeddings, encoder: RobertaEncoder
) -> dict[str, keras.Variable]:
    """All weights of an encoder; see `RobertaBackbone.weights_by_name`."""
    named = {
        "embeddings/token": embeddings.token_embedding.embeddings,
        "embeddings/position": embeddings.position_embedding.embeddings,
    }
    if embeddings.token_type_embedding is not None:
        named["embeddings/token_type"] = embeddings.token_type_embedding.embeddings
    check_not_quantized(named)
    layers = {
        "embeddings/layer_norm": embeddings.norm,
        "embeddings/projection": embeddings.projection,
    }
    for i, block in enumerate(encoder.blocks):
        layers |= {
            f"encoder/block_{i}/attention/query_key_value": block.attention.query_key_value,
            f"encoder/block_{i}/attention/output": block.attention.output_dense,
            f"encoder/block_{i}/attention_layer_norm": block.attention_norm,
            f"encoder/block_{i}/intermediate": block.intermediate_dense,
            f"encoder/block_{i}/output": block.output_dense,
            f"encoder/block_{i}/output_layer_norm": block.output_norm,
        }
    layers["encoder/layer_norm"] = encoder.norm
    found = {}  # by the ids of layers, which blocks may share
    for name, layer in layers.items():
        if layer is None:  # which the config has not
            continue
        if id(layer) not in found:
            found[id(layer)] = name, layer_weights(name, layer)
        first, weights = found[id(layer)]
        named |= {name + n.removeprefix(first): weight for n, weight in weights.items()}
    return named


def layer_weights(name: str, layer: keras.layers.Layer) -> dict[str, keras.Variable]:
    """The two weights of a dense layer ("name/kernel", "name/bias") or layer norm ("name/gamma",
    "name/beta")."""
    parts = ("gamma", "beta") if hasattr(layer, "gamma") else ("kernel", "bias")
    named = {f"{name}/{part}": getattr(layer, part) for part in parts}
    check_not_quantized(named)
    return named


def check_not_quantized(named: dict[str, keras.Variable]) -> None:
    """Raises an InputError if one of the weights is quantised: the formats keep none."""
    for name, weight in named.items():
        dtype = keras.backend.standardize_dtype(weight.dtype)
        if "int" in dtype:
            raise InputError(
                f"weight {name} is {dtype}: give the model as it was before "
                "model.quantize(); presets and .keras files alone keep it, and exporters quantize "
                "by themselves"
            )
