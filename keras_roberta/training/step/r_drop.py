"""A loss transform that makes a task's answers under two dropout masks alike."""

from typing import Any

import keras

from keras_roberta.errors import InputError
from keras_roberta.training.checked_number import checked_positive
from keras_roberta.training.step.batch import BatchLoss, LossFunction
from keras_roberta.training.step.output_terms import distribution_of, reduced_as_the_loss


@keras.saving.register_keras_serializable(package="keras_roberta")
class RDrop:
    """R-Drop (Liang et al., 2021, "R-Drop: Regularized Dropout for Neural Networks", section 2.2).

    Each batch goes through the model twice, with different dropout. The loss becomes

        (loss of the one + loss of the other) / 2 + alpha / 2 * divergence

    where the divergence is the mean of both Kullback-Leibler divergences between the two answers.
    That is half of equation 4, so that the loss keeps its size. Of numbers the divergence is that
    of normal distributions of variance 1, half their squared difference. A step takes twice the
    time.

    Args:
        alpha: weight of the divergence; 0.1 to 1 in the paper's fine-tunings (appendix B).

    Raises:
        InputError: alpha is not positive; in the first step, where the model has no dropout, or its
            outputs are no probabilities.
    """

    def __init__(self, alpha: float = 1.0):
        self.alpha = checked_positive("RDrop: alpha", alpha)

    def __call__(self, loss_fn: LossFunction) -> LossFunction:
        def both(model, batch) -> BatchLoss:
            distribution = distribution_of(model, "R-Drop", "divergence")
            if not any(v.name == "seed_generator_state" for v in model.non_trainable_variables):
                raise InputError(
                    "R-Drop: compares answers under different dropout, but the model has none; "
                    "give it some (--dropout, encoder_dropout)"
                )
            first, second = loss_fn(model, batch), loss_fn(model, batch)
            apart = distribution.divergence(first.outputs, second.outputs)
            term = self.alpha / 2 * reduced_as_the_loss(model, batch, apart)
            return BatchLoss((first.loss + second.loss) / 2 + term, first.outputs)

        return both

    def get_config(self) -> dict[str, Any]:
        return {"alpha": self.alpha}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RDrop":
        return cls(**config)
