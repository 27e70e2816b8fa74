"""A loss transform by which a task is trained as if some of its weights had other values."""

from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from keras_roberta.training.step.batch import BatchLoss, LossFunction
from keras_roberta.training.step.with_values import with_values


class LossWithWeights:
    """Computes the loss with functions of weights in their place.

    Gradients go to the weights as they are for the values that took their place: the
    straight-through estimator (Bengio et al., 2013, "Estimating or Propagating Gradients Through
    Stochastic Neurons", section 4). It becomes part of a compiled step.

    Args:
        weights: `keras.Variable` by name.
        function: of a name and a weight's tensor, gives the tensor in its place.
        variables: what the function reads besides; see `compile`'s `loss_transforms`.
    """

    def __init__(
        self,
        weights: Mapping[str, keras.Variable],
        function: Callable[[str, tf.Tensor], tf.Tensor],
        variables: Sequence[keras.Variable] = (),
    ):
        self._weights, self._function = dict(weights), function
        self.variables = list(variables)

    def __call__(self, loss_fn: LossFunction) -> LossFunction:
        def with_weights(model, batch) -> BatchLoss:
            values = [(weight, self._value(name, weight)) for name, weight in self._weights.items()]
            return with_values(model, values, lambda: loss_fn(model, batch))

        return with_weights

    def _value(self, name, weight):
        tensor = tf.convert_to_tensor(weight.value)
        return _straight_through(tensor, tf.stop_gradient(self._function(name, tensor)))


@tf.custom_gradient
def _straight_through(weight, value):
    """`value`, whose gradient goes to `weight`."""
    return tf.identity(value), lambda upstream: (tf.convert_to_tensor(upstream), None)
