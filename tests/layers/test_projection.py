import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.layers.projection import project_onto_vocabulary


@pytest.mark.parametrize("jit_compile", [None, True])
@pytest.mark.parametrize("dtype, atol", [("float32", 1e-4), ("bfloat16", 0.3)])
def test_is_the_product_and_its_gradients(dtype, atol, jit_compile):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(3, 4, 16)), dtype)
    table = tf.constant(rng.normal(size=(50, 16)), dtype)
    bias = tf.constant(rng.normal(size=50), tf.float32)
    upstream = tf.constant(rng.normal(size=(3, 4, 50)), tf.float32)

    def plain(x, table, bias):
        return tf.cast(tf.einsum("bph,vh->bpv", x, table), "float32") + bias

    def run(project):
        with tf.GradientTape() as tape:
            tape.watch([x, table, bias])
            logits = project(x, table, bias)
        return [logits, *tape.gradient(logits, [x, table, bias], upstream)]

    found = tf.function(run, jit_compile=jit_compile)(project_onto_vocabulary)
    for value, expected in zip(found, run(plain), strict=True):
        assert value.dtype == expected.dtype
        np.testing.assert_allclose(
            tf.cast(value, "float32"), tf.cast(expected, "float32"), rtol=0.02, atol=atol
        )


def test_keras_quantizes_the_table():
    config = kr.RobertaConfig(
        vocabulary_size=300,
        num_layers=1,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=64,
        max_sequence_length=8,
    )
    model = kr.RobertaMaskedLM(kr.RobertaBackbone(config))
    ids = np.random.default_rng(0).integers(3, 300, (2, 8))
    inputs = {
        "token_ids": ids,
        "padding_mask": np.ones_like(ids),
        "mask_positions": np.array([[1, 2], [5, 0]]),
    }
    before = np.asarray(model(inputs))
    model.backbone.token_embedding.quantize("int8")
    after = np.asarray(model(inputs))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.99
