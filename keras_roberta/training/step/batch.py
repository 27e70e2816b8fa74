"""A batch, and the types of the functions that make up a training step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf


class Batch(NamedTuple):
    """The data of one step.

    Attributes:
        x: the model's inputs: tensors, each with the rows of the batch on its first axis.
        y: the targets, or None.
        sample_weight: the weights of the targets, or None.
    """

    x: Any
    y: Any = None
    sample_weight: Any = None

    @classmethod
    def of(cls, data: Any) -> "Batch":
        """A batch from the data of `train_step`: x, (x, y) or (x, y, sample_weight)."""
        return cls(*keras.utils.unpack_x_y_sample_weight(data))

    @property
    def rows(self) -> tf.Tensor:
        """The number of rows, an int32 scalar."""
        return tf.shape(tf.nest.flatten(self.x)[0])[0]


class BatchLoss(NamedTuple):
    """The result of a loss function.

    Attributes:
        loss: scalar to minimise. Under a strategy it is the share of this replica: the sum over
            the replicas is the loss of the whole batch.
        outputs: the model's outputs, for its metrics.
    """

    loss: tf.Tensor
    outputs: Any


# One gradient for each trainable variable, in the order of `model.trainable_variables`: a tensor,
# `tf.IndexedSlices`, or None if the loss does not depend on the variable.
Gradients = list[tf.Tensor | tf.IndexedSlices | None]

LossFunction = Callable[[keras.Model, Batch], BatchLoss]
GradientFunction = Callable[[keras.Model, Batch], Gradients]
LossTransform = Callable[[LossFunction], LossFunction]
GradientTransform = Callable[[GradientFunction], GradientFunction]


def chain(*transforms: Callable) -> Callable:
    """Combines transforms into one; the first is applied first, so it is the innermost.

    >>> def times(factor):
    ...     return lambda function: lambda x: factor * function(x)
    >>> def plus(term):
    ...     return lambda function: lambda x: function(x) + term
    >>> chain(times(10), plus(1))(lambda x: x)(4)
    41
    """

    def transform(function):
        for each in transforms:
            function = each(function)
        return function

    return transform


def map_gradients(function: Callable, gradients: Gradients) -> Gradients:
    """Applies a function to each gradient tensor; of a sparse gradient, to its values."""

    def apply(gradient):
        if gradient is None:
            return None
        if isinstance(gradient, tf.IndexedSlices):
            return tf.IndexedSlices(
                function(gradient.values), gradient.indices, gradient.dense_shape
            )
        return function(gradient)

    return [apply(gradient) for gradient in gradients]
