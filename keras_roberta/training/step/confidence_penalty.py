"""A loss transform by which a task is less sure of its answers."""

from typing import Any

import keras

from keras_roberta.training.checked_number import checked_positive
from keras_roberta.training.step.batch import BatchLoss, LossFunction
from keras_roberta.training.step.output_terms import distribution_of, reduced_as_the_loss


@keras.saving.register_keras_serializable(package="keras_roberta")
class ConfidencePenalty:
    """Subtracts the entropy of the answers from the loss (Pereyra et al., 2017, "Regularizing
    Neural Networks by Penalizing Confident Output Distributions", section 3).

        loss - beta * entropy

    Args:
        beta: weight of the entropy; 0.1 in most of the paper's experiments.

    Raises:
        InputError: beta is not positive; in the first step, where the model's outputs are no
            probabilities.
    """

    def __init__(self, beta: float = 0.1):
        self.beta = checked_positive("ConfidencePenalty: beta", beta)

    def __call__(self, loss_fn: LossFunction) -> LossFunction:
        def less_confident(model, batch) -> BatchLoss:
            distribution = distribution_of(model, "confidence penalty", "entropy")
            result = loss_fn(model, batch)
            entropy = reduced_as_the_loss(model, batch, distribution.entropy(result.outputs))
            return result._replace(loss=result.loss - self.beta * entropy)

        return less_confident

    def get_config(self) -> dict[str, Any]:
        return {"beta": self.beta}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ConfidencePenalty":
        return cls(**config)
