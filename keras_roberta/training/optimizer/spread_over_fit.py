"""The default schedule, spread over one call of `fit`."""

import logging
from typing import Any

import keras
import numpy as np

from keras_roberta.training.keras_internals import inner_optimizer, learning_rate_schedule
from keras_roberta.training.optimizer.schedules import LinearWarmupDecay

logger = logging.getLogger("keras_roberta")


def spread_over_fit(
    model: keras.Model,
    steps_per_epoch: int | None,
    epochs: int,
    x: Any,
    batch_size: int | None,
    initial_epoch: int = 0,
) -> None:
    """Fits the default schedule of a model's optimizer to a call of `fit`; any other stays.

    Args:
        steps_per_epoch: None to count them in the data.
        epochs: the number of the last one.
        x: data as `keras.Model.fit` takes it.
        batch_size: rows a step where `x` is no batches; 32 by default.
        initial_epoch: epochs that are not trained here. If the optimizer has done their steps, the
            schedule is that of all epochs.
    """
    optimizer = inner_optimizer(model.optimizer)
    schedule = learning_rate_schedule(optimizer)
    if not isinstance(schedule, LinearWarmupDecay) or not schedule.follows_fit:
        return
    if steps_per_epoch is None:
        steps_per_epoch = _count_steps(x, batch_size)
    if steps_per_epoch is None:
        logger.warning(
            "the length of the data is unknown, so the learning rate stays at its peak; give "
            "fit steps_per_epoch for the warm-up and decay"
        )
    done = int(keras.ops.convert_to_numpy(optimizer.iterations))
    before = (steps_per_epoch or 0) * initial_epoch
    if before and not done:  # a new optimizer, which has nothing to go on with
        before, epochs = 0, epochs - initial_epoch
    # An optimizer for float16 does not count the steps that it skips, so it may have done fewer.
    first_step = max(done - before, 0)
    schedule.plan(first_step, steps_per_epoch and steps_per_epoch * epochs)
    if keras.backend.backend() != "tensorflow":
        model.train_function = None  # its trace holds the old plan


def _count_steps(x, batch_size):
    if hasattr(x, "cardinality"):
        count = x.cardinality  # a tf.distribute.DistributedDataset holds the number itself
        count = int(count() if callable(count) else count)
        return count if count > 0 else None
    if hasattr(x, "__len__") and not isinstance(x, (dict, tuple, list, np.ndarray)):
        return len(x)  # keras.utils.PyDataset
    first = keras.tree.flatten(x)[0]
    if not hasattr(first, "__len__"):
        return None  # a generator
    return -(-len(first) // (batch_size or 32))
