"""Initialisers by name, each weight seeded by its own name."""

import zlib

import keras

from keras_roberta.config import RobertaConfig


def make_initializer(config: RobertaConfig, weight_name: str, embedding: bool = False):
    """The initialiser of one weight.

    Two weights of one shape and one seed would come out equal, so the seed of each is derived from
    `config.seed` and `weight_name`.

    Args:
        config: gives `initializer`, `initializer_range` and `seed`.
        weight_name: unique in the model, for example "block_3/attention/output".
        embedding: embedding tables are normal under "glorot_uniform" too, as in fairseq: fan-in
            means nothing for a table.
    """
    seed = None
    if config.seed is not None:
        seed = zlib.crc32(f"{config.seed}/{weight_name}".encode())
    if config.initializer == "glorot_uniform" and not embedding:
        return keras.initializers.GlorotUniform(seed=seed)
    if config.initializer == "truncated_normal":
        return keras.initializers.TruncatedNormal(stddev=config.initializer_range, seed=seed)
    return keras.initializers.RandomNormal(stddev=config.initializer_range, seed=seed)
