"""Initialisers by name, each weight seeded by its own name."""

import math
import zlib

import keras

from keras_roberta.config import RobertaConfig


def make_initializer(
    config: RobertaConfig, weight_name: str, embedding: bool = False, residual: bool = False
) -> keras.initializers.Initializer:
    """The initialiser of one weight.

    Its seed is made from `config.seed` and `weight_name`: with one seed for all, weights of the
    same shape would start equal.

    Args:
        config: gives `initializer`, `initializer_range` and `seed`.
        weight_name: unique in the model, for example "block_3/attention/output".
        embedding: whether the weight is an embedding table. Tables start normal also where
            `initializer` is "glorot_uniform", as in fairseq: Glorot's formula is for products.
        residual: whether the product with the weight is added to a layer's input. 2 * num_layers
            such products are added up, so "depth_scaled" divides by the root of that.
    """
    seed = None
    if config.seed is not None:
        seed = zlib.crc32(f"{config.seed}/{weight_name}".encode())
    if config.initializer == "glorot_uniform" and not embedding:
        return keras.initializers.GlorotUniform(seed=seed)
    if config.initializer == "truncated_normal":
        return keras.initializers.TruncatedNormal(stddev=config.initializer_range, seed=seed)
    stddev = config.initializer_range
    if config.initializer == "depth_scaled" and residual:
        stddev /= math.sqrt(2 * config.num_layers)
    return keras.initializers.RandomNormal(stddev=stddev, seed=seed)
