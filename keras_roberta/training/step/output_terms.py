"""Terms of a loss that are functions of the outputs alone."""

from typing import Any

import keras
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.training.step.batch import Batch


def distribution_of(model: keras.Model, term: str, method: str) -> Any:
    """The distribution that a task's outputs are, see `layers.output_distributions`.

    Args:
        model: a task, which says so by `output_distribution`.
        term: what needs it, for the message.
        method: "entropy" or "divergence".

    Raises:
        InputError: the outputs are none, or have no such thing.
    """
    found = getattr(model, "output_distribution", None)
    if not hasattr(found, method):
        raise InputError(
            f"{term}: the outputs of {type(model).__name__} are no probabilities; leave it out"
        )
    return found


def reduced_as_the_loss(model: keras.Model, batch: Batch, values: tf.Tensor) -> tf.Tensor:
    """A value for each row or token as one number: weighted, added up and divided as the model's
    loss is. So it goes with gradient accumulation, class weights and replicas in the same way.
    `compile`'s `loss_weights` scales the loss and not this number.

    Args:
        model: a compiled task of one output.
        batch: the sample weights that apply.
        values: float (rows, ...), of the shape of the loss before it is added up.

    Returns:
        float32 scalar; of a replica its share, as in `BatchLoss`.

    Raises:
        InputError: the model's loss is not added up.
    """
    (loss,) = keras.tree.flatten(model.loss)
    reduction = getattr(loss, "reduction", "sum_over_batch_size")
    if reduction in (None, "none"):
        raise InputError(
            f"{type(model).__name__}: its loss has reduction={reduction!r}, and a term can be "
            'added only to one number; give it reduction="sum_over_batch_size"'
        )
    return GivenValues(reduction=reduction)(values, values, batch.sample_weight)


class GivenValues(keras.losses.Loss):
    """A loss whose values are given."""

    def call(self, y_true, y_pred):
        return y_pred
