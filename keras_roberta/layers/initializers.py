"""Initialisers by name, each weight seeded by its own name."""

import zlib

import keras

from keras_roberta.config import RobertaConfig


def make_initializer(
    config: RobertaConfig, weight_name: str, embedding: bool = False
) -> keras.initializers.Initializer:
    """The initialiser of one weight.

    Its seed is made from `config.seed` and `weight_name`: with one seed for all, weights of the
    same shape would start equal.

    Args:
        config: gives `initializer`, `initializer_range` and `seed`.
        weight_name: unique in the model, for example "block_3/attention/output".
        embedding: whether the weight is an embedding table. Tables start normal also where
            `initializer` is "glorot_uniform", as in fairseq: Glorot's formula is for products.
    """
    seed = None
    if config.seed is not None:
        seed = zlib.crc32(f"{config.seed}/{weight_name}".encode())
    if config.initializer == "glorot_uniform" and not embedding:
        return keras.initializers.GlorotUniform(seed=seed)
    if config.initializer == "truncated_normal":
        return keras.initializers.TruncatedNormal(stddev=config.initializer_range, seed=seed)
    return keras.initializers.RandomNormal(stddev=config.initializer_range, seed=seed)
