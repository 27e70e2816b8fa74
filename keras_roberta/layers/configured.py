"""The base of our layers: built from a RobertaConfig, and serialised as one."""

import keras

from keras_roberta.config import RobertaConfig


class ConfiguredLayer(keras.layers.Layer):
    """A layer whose hyper-parameters are a `RobertaConfig`.

    Args:
        config: a `RobertaConfig`, or its `to_dict()` when Keras deserialises the layer.
        **kwargs: `name`, `dtype`, `trainable`.
    """

    def __init__(self, config, **kwargs):
        # Keras would cast the float32 attention bias to half precision on the way in.
        super().__init__(autocast=False, **kwargs)
        if not isinstance(config, RobertaConfig):
            config = RobertaConfig.from_dict(config)
        self.config = config

    def layer_norm(self, name):
        """A layer norm of this model; Keras computes it in float32 also for half precision."""
        return keras.layers.LayerNormalization(
            epsilon=self.config.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )

    def get_config(self):
        return {**super().get_config(), "config": self.config.to_dict()}
