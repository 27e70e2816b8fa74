"""The scale of float16's loss: on the gradients, not on what transforms see of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.training.step.composed_train_step import ComposedTrainStep


class Line(ComposedTrainStep, keras.Sequential):
    """y = w x"""


def make_line(jit_compile, **compiling):
    model = Line([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=8.0)
    model.compile(optimizer, loss="mse", jit_compile=jit_compile, **compiling)
    model.layers[0].kernel.assign([[3.0]])
    return model


# The mean of 2 (w x - y) x over both rows, for w = 3: 2 * (2 * 1 + 5 * 2) / 2.
DATA = tf.constant([[1.0], [2.0]]), tf.constant([[1.0], [1.0]])
GRADIENT = 12.0


def at_most(bound):
    """A transform that depends on the size of gradients."""

    def clipped(gradient_fn):
        return lambda model, batch: [
            tf.clip_by_value(g, -bound, bound) for g in gradient_fn(model, batch)
        ]

    return clipped


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    ("transforms", "expected"),
    [([], GRADIENT), ([at_most(1.0)], 1.0), ([at_most(20.0)], GRADIENT)],
    ids=["plain", "clipped", "within the bound"],
)
def test_gradients_follow_the_scale_wherever_it_goes(jit_compile, transforms, expected):
    """Before the optimizer has the variable, and behind each change of it."""
    model = make_line(jit_compile, gradient_transforms=transforms)
    assert float(model.gradients(DATA)[0][0, 0]) == 8.0 * expected
    model.optimizer.build(model.trainable_variables)
    for scale in (8.0, 4.0, 2.0**15):
        model.optimizer.dynamic_scale.assign(scale)
        assert float(model.gradients(DATA)[0][0, 0]) == scale * expected


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_step_takes_the_scale_off_and_halves_it_where_it_overflows(jit_compile):
    model = make_line(jit_compile)
    model.train_on_batch(*DATA)
    assert float(model.layers[0].kernel[0, 0]) == 3.0 - 0.5 * GRADIENT
    before = np.array(model.layers[0].kernel)
    model.optimizer.dynamic_scale.assign(1e38)
    model.train_on_batch(*DATA)
    np.testing.assert_array_equal(model.layers[0].kernel, before)
    assert float(model.optimizer.dynamic_scale) == pytest.approx(5e37)
