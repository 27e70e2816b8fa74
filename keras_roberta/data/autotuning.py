"""Switches off tf.data's autotuning."""

import tensorflow as tf


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same dataset without autotuning: parallelism and buffers stay as they were given.

    tf.data's autotuning runs in a thread that sleeps for longer and longer, up to a minute. It can
    miss the request to stop. Then the caller that drops the iterator has to wait for it, as `fit`
    does at its end.

    Args:
        dataset: the dataset. Datasets made from the result inherit the option.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
