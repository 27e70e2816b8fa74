"""One optimizer step from a batch that does not fit the device at once."""

import tensorflow as tf


def mean_gradients(gradients, batch, parts):
    """The mean of `gradients` over equal parts of a batch, with one part in memory at a time.

    Args:
        gradients: function of a part, giving a list of tensors of fixed shapes.
        batch: nested tensors; the first axis of each is divisible by `parts`, and its rows stay in
            order: part 0 has the first ones.
        parts: int.

    Returns:
        list of dense tensors.
    """
    batch = tf.nest.map_structure(
        lambda t: tf.reshape(t, tf.concat([[parts, -1], tf.shape(t)[1:]], 0)), batch
    )

    def of_part(i):
        part = tf.nest.map_structure(lambda t: t[i], batch)
        return [tf.convert_to_tensor(g) for g in gradients(part)]

    def add(i, sums):
        return i + 1, [total + g for total, g in zip(sums, of_part(i), strict=True)]

    _, sums = tf.while_loop(lambda i, _: i < parts, add, (1, of_part(0)), maximum_iterations=parts)
    return [total / parts for total in sums]
