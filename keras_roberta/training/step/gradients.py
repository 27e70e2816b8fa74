"""Gradients of a loss function, computed operation by operation."""

import tensorflow as tf

from keras_roberta.training.step.batch import GradientFunction, LossFunction


def gradients_of(loss_fn: LossFunction) -> GradientFunction:
    """The gradient function of a loss function.

    The gradients are those of the loss times the optimizer's loss scale. The scale is 1, except
    in float16.
    """

    def gradients(model, batch):
        # Inside a `keras.StatelessScope`, as in `compiled`, these are tensors, not variables.
        weights = [variable.value for variable in model.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch([weight for weight in weights if not isinstance(weight, tf.Variable)])
            loss = model.optimizer.scale_loss(loss_fn(model, batch).loss)
        return tape.gradient(loss, weights)

    return gradients
