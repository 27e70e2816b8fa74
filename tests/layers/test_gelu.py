"""GELU in training and inference beside Keras's."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.layers.gelu import gelu

TOLERANCES = {"float32": 1e-6, "bfloat16": 0.05, "float16": 0.01}


@pytest.mark.parametrize("dtype, tolerance", list(TOLERANCES.items()))
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_value_and_gradient_are_those_of_the_formula(dtype, tolerance, compiled, training):
    x = tf.cast(tf.linspace(-8.0, 8.0, 161), dtype)

    def value_and_gradient(function):
        @tf.function(jit_compile=compiled)
        def run():
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = function(x)
            return y, tape.gradient(y, x, tf.ones_like(x) * 3)

        return [np.asarray(tf.cast(array, "float32")) for array in run()]

    reference = value_and_gradient(lambda x: keras.ops.gelu(x, approximate=False))
    ours = functools.partial(gelu, training=training)
    for found, expected in zip(value_and_gradient(ours), reference, strict=True):
        np.testing.assert_allclose(found, expected, atol=tolerance)
