"""How the schemes of `.tflite` files round the matrices of products, as functions of tensors."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from keras_roberta.export.compression.model_optimization import part_of_tfmot
from keras_roberta.export.recipes import LARGEST, OCTAV, Entry, fitting_block

_NEWTON_STEPS = 10  # of ai-edge-quantizer
_LEAST_BOUND = 1e-9  # its largest weight of a block of zeros


def rounding_by(entry: Entry, width: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """What an entry of a recipe makes of a matrix, as floats: function of float (inputs, outputs).

    Args:
        entry: see `rounded_schemes.rounding_entry`.
        width: a common divisor of the matrices' numbers of inputs; the block size has to divide
            it.
    """
    num_bits = entry["op_config"]["weight_tensor_config"]["num_bits"]
    block_size, algorithm = fitting_block(entry, width), entry["algorithm_key"]

    def rounded(matrix):
        inputs, outputs = matrix.shape
        size = block_size or inputs
        # (size, blocks): what shares a scale stands in a column.
        columns = tf.reshape(matrix, (inputs // size, size, outputs))
        columns = tf.reshape(tf.transpose(columns, (1, 0, 2)), (size, -1))
        columns = _ROUNDINGS[algorithm](columns, num_bits)
        columns = tf.reshape(columns, (size, inputs // size, outputs))
        return tf.reshape(tf.transpose(columns, (1, 0, 2)), (inputs, outputs))

    return rounded


class _Range:
    """Stands for a variable of a range where it need not be kept: it is that of the weights."""

    def assign(self, value, name=None):
        return value


def _by_largest(columns, num_bits):
    """By tfmot's quantizer of weights, "last value": the largest magnitude of a column is the
    largest whole number, and there are as many numbers below zero as above."""
    rounded = part_of_tfmot("quantization.keras.quant_ops").LastValueQuantize(
        columns,
        _Range(),
        _Range(),
        per_channel=True,
        is_training=True,
        num_bits=num_bits,
        narrow_range=True,
        symmetric=True,
    )
    # Where a whole column is zero, so is its scale, and XLA's fake quantisation divides by it.
    return tf.where(columns == 0, tf.zeros_like(columns), rounded)


def _by_least_error(columns, num_bits):
    """OCTAV (Sakr et al., 2022, equation 6) as ai-edge-quantizer computes it: the bound of a column
    by Newton's method, beyond which its weights are cut off."""
    magnitude = tf.abs(columns)
    of_rounding = 4.0**-num_bits / 3
    size = tf.cast(tf.shape(columns)[0], columns.dtype)
    bound = tf.ones_like(columns[:1])
    for _ in range(_NEWTON_STEPS):
        beyond = tf.cast(magnitude >= bound, columns.dtype)
        count = tf.reduce_sum(beyond, axis=0, keepdims=True)
        bound = tf.reduce_sum(magnitude * beyond, axis=0, keepdims=True)
        bound /= (1 - of_rounding) * count + of_rounding * size
    largest = tf.reduce_max(magnitude, axis=0, keepdims=True)
    most = 2 ** (num_bits - 1) - 1
    scale = tf.minimum(tf.maximum(largest, _LEAST_BOUND), bound) / most
    whole = tf.round(tf.math.divide_no_nan(columns, scale))
    return tf.clip_by_value(whole, -most - 1.0, float(most)) * scale


_ROUNDINGS = {LARGEST: _by_largest, OCTAV: _by_least_error}
