"""The parts of batches that belong to the replicas of one worker."""

import tensorflow as tf


def replica_batches(dataset, num_replicas, replicas):
    """Each batch of a dataset as the parts of some replicas, one after the other.

    Replica r has the rows from `r * rows / num_replicas` on: every row is in one part, and where
    all workers have the same batches no two have the same row. The parts of a batch whose rows do
    not divide differ by one row.

    Args:
        dataset: `tf.data.Dataset` of batches.
        num_replicas: of all workers together.
        replicas: range of the numbers of this worker's.

    Returns:
        `tf.data.Dataset` with `len(replicas)` elements a batch.

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

    if len(replicas) == 1:  # keeps the number of elements known
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
