"""The gradient function of a training step, built from the functions in this package."""

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
    """A function that computes the gradients of a step, ready for the optimizer.

    It is built from the inside out: the model's loss, the loss transforms, the metrics, the
    gradients, one XLA program of these, the gradient transforms, the accumulation over parts of
    the batch, and the transforms for several replicas.

    Args:
        jit_compile: whether forward and backward pass become one XLA program.
        loss_transforms: transforms that become part of the program. A transform that reads
            variables of another model, such as a teacher's, lists them in an attribute
            `variables`; those that are not the model's and that it assigns, in `states`.
        gradient_transforms: transforms that run outside the program, once for each part of the
            batch. If a transform needs the gradients of the whole batch, give `accumulated(parts)`
            here before it, and leave `gradient_accumulation_steps` at 1.
        gradient_accumulation_steps: number of parts that a batch is split into.
    """
    gradient_fn = gradients_of(counted(chain(*loss_transforms)(model_loss)))
    if jit_compile:
        others = [v for t in loss_transforms for v in getattr(t, "variables", ())]
        states = [v for t in loss_transforms for v in getattr(t, "states", ())]
        gradient_fn = compiled(other_variables=others, other_states=states)(gradient_fn)
    if gradient_transforms:
        gradient_fn = chain(unscaled, *gradient_transforms, scaled)(gradient_fn)
    if gradient_accumulation_steps > 1:
        gradient_fn = accumulated(gradient_accumulation_steps)(gradient_fn)
    return chain(replica_seeds, fail_together)(gradient_fn)
