"""RoBERTa's optimizers and learning rates."""

from keras_roberta.training.optimizer.pretraining import pretraining_optimizer
from keras_roberta.training.optimizer.roberta_adamw import RobertaAdamW, finetuning_optimizer

__all__ = ["RobertaAdamW", "finetuning_optimizer", "pretraining_optimizer"]
