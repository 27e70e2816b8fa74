import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_roberta.training.workers.replica_batches import replica_batches


def batches(rows, batch_size):
    rows = np.arange(rows)
    return tf.data.Dataset.from_tensor_slices(({"x": rows, "z": rows[:, None]}, rows)).batch(
        batch_size
    )


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 40),
    batch_size=st.integers(1, 9),
    num_workers=st.integers(1, 3),
    replicas_a_worker=st.integers(1, 2),
)
def test_replicas_share_each_batch_out(rows, batch_size, num_workers, replicas_a_worker):
    num_replicas = num_workers * replicas_a_worker
    parts = []
    for worker in range(num_workers):
        here = range(worker * replicas_a_worker, (worker + 1) * replicas_a_worker)
        dataset = replica_batches(batches(rows, batch_size), num_replicas, here)
        elements = list(dataset.as_numpy_iterator())
        assert int(dataset.cardinality()) == len(elements)
        for features, y in elements:
            np.testing.assert_array_equal(features["x"], y)
            np.testing.assert_array_equal(features["z"][:, 0], y)
        parts.append([y for _, y in elements])
    for step, (_, whole) in enumerate(batches(rows, batch_size).as_numpy_iterator()):
        of_step = [
            parts[worker][step * replicas_a_worker + i]
            for worker in range(num_workers)
            for i in range(replicas_a_worker)
        ]
        np.testing.assert_array_equal(np.concatenate(of_step), whole)
        sizes = [len(part) for part in of_step]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("replicas", [range(1, 2), range(2, 4)])
def test_shapes_and_endlessness_stay_known(replicas):
    dataset = tf.data.Dataset.range(8).batch(4, drop_remainder=True).repeat()
    parts = replica_batches(dataset, 4, replicas)
    assert parts.cardinality() == tf.data.INFINITE_CARDINALITY
    assert parts.element_spec.shape == (1,)
