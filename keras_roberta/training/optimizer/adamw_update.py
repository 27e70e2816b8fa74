"""AdamW's update as TensorFlow runs it fastest: in few passes over memory.

An update does so little arithmetic on each number that memory decides its time. One XLA program
updates all variables together and in place, so that each weight, moment and gradient is read once.

Tables, such as the token embedding, are two thirds of a small model, and a step of fine-tuning
touches a few hundred of their rows. Rows that never had a gradient have moments of zero: for them
AdamW is weight decay alone. Where the gradient is sparse, only the other rows are read, in blocks
that fit the cache. This is exact, unlike "lazy Adam", which skips all rows without a gradient.
"""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

# Below this many rows a variable is as quickly updated whole.
TABLE_ROWS = 4096
BLOCK_ROWS = 1024


def is_table(variable):
    """Whether a variable is updated by rows: (rows, dim) with many rows."""
    return len(variable.shape) == 2 and variable.shape[0] >= TABLE_ROWS


@dataclasses.dataclass(frozen=True)
class Slot:
    """A variable and what AdamW keeps for it.

    Attributes:
        weight: the variable.
        m, v: its moments, of the same shape.
        decays: whether weight decay applies.
        touched: of a table, bool (rows): rows that have had a gradient; else None.
        average: moving average of the variable, or None.
        rate_factor: what the learning rate is multiplied by for this variable.
    """

    weight: tf.Variable
    m: tf.Variable
    v: tf.Variable
    decays: bool
    touched: tf.Variable | None = None
    average: tf.Variable | None = None
    rate_factor: float = 1.0


class Constants(NamedTuple):
    """The numbers of one step, float32 scalars; see `adamw`."""

    beta_1: float
    beta_2: float
    epsilon: float
    gradient_scale: tf.Tensor
    rate: tf.Tensor  # learning rate times the correction of the moments' bias
    decay: tf.Tensor  # what weight decay takes of a weight
    average_momentum: tf.Tensor  # of the moving average of the weights; 0 in the first step
    overwrite: tf.Tensor | None  # bool: whether the averages become the weights; None for never

    def scaled(self, factor):
        """The same with another learning rate."""
        return self._replace(rate=self.rate * factor, decay=self.decay * factor)


def adamw(weight, m, v, gradient, c):
    """AdamW (Loshchilov and Hutter, 2019, algorithm 2) after its decay, on arrays of one shape.

    m = beta_1 m + (1 - beta_1) g,  v = beta_2 v + (1 - beta_2) g^2
    weight = weight - rate * m / (sqrt(v) + epsilon)
    """
    gradient = gradient * c.gradient_scale
    m = m + (gradient - m) * (1 - c.beta_1)
    v = v + (gradient * gradient - v) * (1 - c.beta_2)
    return weight - c.rate * m / (tf.sqrt(v) + c.epsilon), m, v


def merge_rows(gradient, variable):
    """A table's sparse gradient with each row once, another's as a dense one."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    if not is_table(variable):
        return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, variable.shape[0])
    rows, place = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, place, tf.size(rows))
    return tf.IndexedSlices(values, rows)


def global_norm(gradients):
    """The norm of all gradients together; sparse ones have each row once."""
    values = [g.values if isinstance(g, tf.IndexedSlices) else g for g in gradients]
    return tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(value) for value in values]))


class AdamWUpdate:
    """The update of some slots; keeps what is compiled.

    Args:
        slots: list of `Slot`.
    """

    def __init__(self, slots):
        self._slots = slots
        self._whole = tf.function(self._update_whole, jit_compile=True, autograph=False)

    def __call__(self, gradients, c, without_gradient=()):
        """Updates.

        Args:
            gradients: one a slot, after `merge_rows`.
            c: `Constants`.
            without_gradient: pairs of a variable that has none and its average, which moves
                nevertheless.
        """
        by_rows = [isinstance(g, tf.IndexedSlices) for g in gradients]
        whole = [None if rows else g for g, rows in zip(gradients, by_rows, strict=True)]
        self._whole(whole, c, without_gradient)
        for slot, gradient, rows in zip(self._slots, gradients, by_rows, strict=True):
            if rows:
                update_touched_rows(slot, gradient, c.scaled(slot.rate_factor))
                if slot.average is not None:
                    _average(slot.weight, slot.average, c)
            elif slot.touched is not None:
                slot.touched.assign(tf.ones_like(slot.touched))

    def _update_whole(self, gradients, c, without_gradient):
        for slot, gradient in zip(self._slots, gradients, strict=True):
            here = c.scaled(slot.rate_factor)
            if slot.decays:
                slot.weight.assign(slot.weight * (1 - here.decay))
            if gradient is not None:
                update = adamw(slot.weight, slot.m, slot.v, gradient, here)
                for variable, value in zip((slot.weight, slot.m, slot.v), update, strict=True):
                    variable.assign(value)
                if slot.average is not None:
                    move_average(slot.weight, slot.average, c)
        for weight, average in without_gradient:
            move_average(weight, average, c)


def move_average(weight, average, c):
    """Moves the average of a weight towards it, and overwrites the weight if it is time to."""
    average.assign(c.average_momentum * average + (1 - c.average_momentum) * weight)
    if c.overwrite is not None:
        weight.assign(tf.where(c.overwrite, average, weight))


_average = tf.function(move_average, jit_compile=True, autograph=False)


def update_touched_rows(slot, gradient, c):
    """Updates the rows of a table that have moments, in place."""
    slot.touched.scatter_update(tf.IndexedSlices(True, gradient.indices))
    # Where the gradient of a row stands in `values`: behind a row of zeros for those without.
    place = tf.scatter_nd(
        tf.expand_dims(gradient.indices, 1),
        1 + tf.range(tf.size(gradient.indices)),
        slot.touched.shape,
    )
    values = tf.pad(gradient.values, [[1, 0], [0, 0]])
    variables = slot.weight, slot.m, slot.v

    def update(rows):
        before = [tf.gather(variable, rows) for variable in variables]  # each (rows, dim)
        after = _adamw_block(*before, tf.gather(values, tf.gather(place, rows)), c)
        for variable, value in zip(variables, after, strict=True):
            variable.scatter_update(tf.IndexedSlices(value, rows))

    for_each_block(tf.where(slot.touched)[:, 0], update)


_adamw_block = tf.function(adamw, jit_compile=True, autograph=False)


def for_each_block(rows, function):
    """Calls a function on row numbers, `BLOCK_ROWS` at a time."""
    count = tf.size(rows)

    def block(first):
        # The last block repeats the last row: one shape, compiled once, and the same value twice.
        index = tf.minimum(first + tf.range(BLOCK_ROWS), count - 1)
        function(tf.gather(rows, index))
        return [first + BLOCK_ROWS]

    tf.while_loop(lambda first: first < count, block, [0], parallel_iterations=1)
