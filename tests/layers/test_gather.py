import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.layers.gather import FIRST, gather_tokens


@pytest.mark.parametrize("between", [(), (3,), (3, 2)])
def test_takes_whole_vectors(between):
    x = np.random.default_rng(0).normal(size=(2, *between, 5, 4))
    positions = np.array([[4, 0, 0], [1, 2, 3]])
    found = np.asarray(gather_tokens(tf.constant(x), positions))
    for row, places in enumerate(positions):
        np.testing.assert_array_equal(found[row], x[row][..., places, :])
    np.testing.assert_array_equal(gather_tokens(x, FIRST), x[..., :1, :])
    assert gather_tokens(x, None) is x


@pytest.mark.parametrize("position", [-1, 5])
def test_a_place_outside_a_row_is_not_in_the_next(position):
    x = tf.ones((2, 5, 4))
    with pytest.raises(tf.errors.InvalidArgumentError):
        gather_tokens(x, np.array([[position], [0]]))
    with pytest.raises(tf.errors.InvalidArgumentError):
        gather_tokens(x, np.array([[0], [position]]))


def test_a_word_that_is_no_place():
    with pytest.raises(ValueError, match="'last'"):
        gather_tokens(tf.ones((1, 2, 3)), "last")
