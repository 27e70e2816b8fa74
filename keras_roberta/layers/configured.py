"""The base class of the layers: made from a `RobertaConfig`, and saved as one."""

from typing import Any

import keras

from keras_roberta.config import RobertaConfig


class ConfiguredLayer(keras.layers.Layer):
    """A layer whose hyper-parameters are a `RobertaConfig`.

    Args:
        config: a `RobertaConfig`, or its `to_dict()` when Keras deserialises the layer.
        **kwargs: `name`, `dtype`, `trainable`.
    """

    def __init__(self, config: RobertaConfig | dict[str, Any], **kwargs):
        # With autocast Keras would cast the float32 attention bias to half precision.
        super().__init__(autocast=False, **kwargs)
        if not isinstance(config, RobertaConfig):
            config = RobertaConfig.from_dict(config)
        self.config = config

    def layer_norm(self, name: str) -> keras.layers.LayerNormalization:
        """A new layer norm with the config's epsilon.

        Keras computes it in float32, also where the compute dtype is half precision.
        """
        return keras.layers.LayerNormalization(
            epsilon=self.config.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "config": self.config.to_dict()}
