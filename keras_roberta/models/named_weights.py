"""The weights of a layer by the names that the checkpoint formats use."""

import keras

from keras_roberta.errors import InputError


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
