"""Steps that changed nothing, since their gradients were not finite."""

import contextlib
import logging
from collections.abc import Iterator

import keras
import numpy as np

from keras_roberta.training.keras_internals import inner_optimizer

logger = logging.getLogger("keras_roberta")


def skipped_steps(optimizer: keras.optimizers.Optimizer) -> int:
    """How many steps an optimizer has skipped; 0 of one that does not count them."""
    # Through an array: under a strategy, one variable is several.
    return int(np.asarray(getattr(inner_optimizer(optimizer), "skipped_steps", 0)))


@contextlib.contextmanager
def warn_of_skipped_steps(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """A context of training, with a warning behind it if steps were skipped."""

    def counted():
        steps = int(keras.ops.convert_to_numpy(optimizer.iterations))
        return np.array([skipped_steps(optimizer), steps])

    before = counted()
    yield
    skipped, steps = counted() - before
    if skipped:
        logger.warning(
            "%d of %d steps changed nothing, since their gradients were not finite; look for NaN "
            "in labels and weights, or lower the learning rate",
            skipped,
            steps,
        )
