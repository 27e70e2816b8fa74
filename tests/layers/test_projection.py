import numpy as np
import pytest
import tensorflow as tf

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
