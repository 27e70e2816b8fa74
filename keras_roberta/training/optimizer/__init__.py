"""RoBERTa's optimizers and learning rates."""

from keras_roberta.training.optimizer.averaged_weights import ValidateAverages
from keras_roberta.training.optimizer.layerwise_decay import layerwise_decay
from keras_roberta.training.optimizer.pretraining import pretraining_optimizer
from keras_roberta.training.optimizer.roberta_adamw import RobertaAdamW, finetuning_optimizer

__all__ = [
    "RobertaAdamW",
    "ValidateAverages",
    "finetuning_optimizer",
    "layerwise_decay",
    "pretraining_optimizer",
]
