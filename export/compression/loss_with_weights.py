"""A loss transform by which a task is trained as if some of its weights had other values."""

from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from keras_roberta.training.keras_internals import nested_scope
from keras_roberta.training.step.batch import BatchLoss, LossFunction


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
            scope = nested_scope(
                [(weight, self._value(name, weight)) for name, weight in self._weights.items()]
            )
            states = model.non_trainable_variables + model.metrics_variables
            before = [scope.get_current_value(state) for state in states]
            with scope:
                result = loss_fn(model, batch)
            for state, old in zip(states, before, strict=True):  # as seeds of dropout
                new = scope.get_current_value(state)
                if new is not old:
                    state.assign(new)
            return result

        return with_weights

    def _value(self, name, weight):
        tensor = tf.convert_to_tensor(weight.value)
        return _straight_through(tensor, tf.stop_gradient(self._function(name, tensor)))


@tf.custom_gradient
def _straight_through(weight, value):
    """`value`, whose gradient goes to `weight`."""
    return tf.identity(value), lambda upstream: (tf.convert_to_tensor(upstream), None)
