"""Splits batches into the parts for the replicas of one worker."""

import tensorflow as tf


def replica_batches(
    dataset: tf.data.Dataset, num_replicas: int, replicas: range
) -> tf.data.Dataset:
    """Splits each batch and gives the parts of some replicas, one after the other.

    Replica r gets the rows from `r * rows / num_replicas` up to those of replica r + 1. So every
    row is in exactly one part, if all workers have the same batches. If the rows cannot be split
    evenly, the parts of a batch differ by one row.

    Args:
        dataset: dataset of batches.
        num_replicas: number of replicas of all workers together.
        replicas: the numbers of this worker's replicas.

    Returns:
        a dataset with `len(replicas)` elements for each batch.

    >>> batches = tf.data.Dataset.range(8).batch(4)
    >>> [part.tolist() for part in replica_batches(batches, 4, range(2, 4)).as_numpy_iterator()]
    [[2], [3], [6], [7]]
    """

    def part(batch, replica):
        def rows(tensor):
            count = tf.shape(tensor, tf.int64)[0]
            start = count * replica // num_replicas
            cut = tensor[start : count * (replica + 1) // num_replicas]
            size = tensor.shape[0]
            if size is not None and size % num_replicas == 0:
                cut.set_shape((size // num_replicas, *tensor.shape[1:]))
            return cut

        return tf.nest.map_structure(rows, batch)

    @tf.autograph.experimental.do_not_convert
    def whole(*batch):
        return batch if len(batch) > 1 else batch[0]

    if len(replicas) == 1:  # `map` keeps the number of elements
        return dataset.map(lambda *batch: part(whole(*batch), replicas[0]))
    cardinality = dataset.cardinality()
    numbers = tf.data.Dataset.range(replicas.start, replicas.stop)
    parts = dataset.flat_map(
        lambda *batch: numbers.map(lambda replica: part(whole(*batch), replica))
    )
    if cardinality == tf.data.UNKNOWN_CARDINALITY:
        return parts
    if cardinality != tf.data.INFINITE_CARDINALITY:
        cardinality *= len(replicas)
    return parts.apply(tf.data.experimental.assert_cardinality(cardinality))
