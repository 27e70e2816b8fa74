"""A training step's gradient function, put together from the parts in this package."""

from collections.abc import Sequence

from keras_roberta.training.step.accumulation import accumulated
from keras_roberta.training.step.batch import (
    GradientFunction,
    GradientTransform,
    LossTransform,
    chain,
)
from keras_roberta.training.step.compiled_gradients import compiled
from keras_roberta.training.step.gradients import gradients_of
from keras_roberta.training.step.loss import counted, model_loss
from keras_roberta.training.step.loss_scale import scaled, unscaled
from keras_roberta.training.step.replicas import fail_together, replica_seeds


def make_gradient_function(
    *,
    jit_compile: bool = False,
    loss_transforms: Sequence[LossTransform] = (),
    gradient_transforms: Sequence[GradientTransform] = (),
    gradient_accumulation_steps: int = 1,
) -> GradientFunction:
    """The gradients of a step, as the optimizer takes them.

    From the inside out: the model's loss, the loss transforms, the metrics, the gradients, one XLA
    program of all that, the gradient transforms, the sum over parts of the batch, and what several
    replicas need.

    Args:
        jit_compile: whether forward and backward pass become one XLA program.
        loss_transforms: they become part of the program. One that reads variables of its own, such
            as a teacher's, has them in an attribute `variables`.
        gradient_transforms: they run outside the program, once for each part of the batch. One
            that must see the gradients of the whole batch comes after an `accumulated(parts)` that
            is given here too, instead of `gradient_accumulation_steps`.
        gradient_accumulation_steps: parts of a batch.
    """
    gradient_fn = gradients_of(counted(chain(*loss_transforms)(model_loss)))
    if jit_compile:
        others = [v for t in loss_transforms for v in getattr(t, "variables", ())]
        gradient_fn = compiled(other_variables=others)(gradient_fn)
    if gradient_transforms:
        gradient_fn = chain(unscaled, *gradient_transforms, scaled)(gradient_fn)
    if gradient_accumulation_steps > 1:
        gradient_fn = accumulated(gradient_accumulation_steps)(gradient_fn)
    return chain(replica_seeds, fail_together)(gradient_fn)
