"""tf.data without its tuner."""

import tensorflow as tf


def without_autotuning(dataset):
    """The dataset, with the parallelism and buffers that it was given.

    tf.data's tuner has a thread that sleeps longer and longer, up to a minute, and can miss the
    request to stop: whoever drops the iterator, as `fit` does at its end, then waits for it.

    Args:
        dataset: a `tf.data.Dataset`; those made from it inherit the option.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
