"""Gradients of a loss function, one TensorFlow operation after the other."""

import tensorflow as tf

from keras_roberta.training.step.batch import GradientFunction, LossFunction


def gradients_of(loss_fn: LossFunction) -> GradientFunction:
    """The gradient function of a loss function.

    Its gradients are those of the loss times the optimizer's loss scale, which is 1 except in
    float16.
    """

    def gradients(model, batch):
        # Within a `keras.StatelessScope`, as of `compiled`, these are tensors, not variables.
        weights = [variable.value for variable in model.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch([weight for weight in weights if not isinstance(weight, tf.Variable)])
            loss = model.optimizer.scale_loss(loss_fn(model, batch).loss)
        return tape.gradient(loss, weights)

    return gradients
