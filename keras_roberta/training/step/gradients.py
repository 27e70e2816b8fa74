"""Gradients of a loss function, computed operation by operation."""

import contextlib

import tensorflow as tf

from keras_roberta.layers.look_up import gradients_as_slices
from keras_roberta.training.keras_internals import inner_optimizer
from keras_roberta.training.step.batch import GradientFunction, LossFunction


def gradients_of(loss_fn: LossFunction) -> GradientFunction:
    """The gradient function of a loss function.

    The gradients are those of the loss times the optimizer's loss scale. The scale is 1, except
    in float16. They are dense, unless the optimizer adds up slices (`RobertaAdamW`).
    """

    def gradients(model, batch):
        # Inside a `keras.StatelessScope`, as in `compiled`, these are tensors, not variables.
        weights = [variable.value for variable in model.trainable_variables]
        as_slices = getattr(inner_optimizer(model.optimizer), "adds_up_slices", False)
        context = gradients_as_slices() if as_slices else contextlib.nullcontext()
        with context, tf.GradientTape() as tape:
            tape.watch([weight for weight in weights if not isinstance(weight, tf.Variable)])
            loss = model.optimizer.scale_loss(loss_fn(model, batch).loss)
        found = tape.gradient(loss, weights)
        if as_slices:
            return found
        # Also of look-ups by other layers than ours.
        return [None if g is None else tf.convert_to_tensor(g) for g in found]

    return gradients
