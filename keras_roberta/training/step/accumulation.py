"""One optimizer step from a batch that does not fit the device at once."""

import tensorflow as tf


def mean_gradients(gradients, batch, parts):
    """The mean of `gradients` over equal parts of a batch, with one part in memory at a time.

    Args:
        gradients: function of a part, giving a list of tensors of fixed shapes, or None in the
            same places for all parts.
        batch: nested tensors; the first axis of each is divisible by `parts`, and its rows stay in
            order: part 0 has the first ones.
        parts: int.

    Returns:
        list of dense tensors and None.
    """
    batch = tf.nest.map_structure(
        lambda t: tf.reshape(t, tf.concat([[parts, -1], tf.shape(t)[1:]], 0)), batch
    )

    def of_part(i):
        part = tf.nest.map_structure(lambda t: t[i], batch)
        return [None if g is None else tf.convert_to_tensor(g) for g in gradients(part)]

    first = of_part(0)
    given = [i for i, gradient in enumerate(first) if gradient is not None]

    def add(i, sums):
        more = of_part(i)
        return i + 1, [total + more[k] for total, k in zip(sums, given, strict=True)]

    start = 1, [first[k] for k in given]
    _, sums = tf.while_loop(lambda i, _: i < parts, add, start, maximum_iterations=parts)
    means = dict(zip(given, [total / parts for total in sums], strict=True))
    return [means.get(i) for i in range(len(first))]
