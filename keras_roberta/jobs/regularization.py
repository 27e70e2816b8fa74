"""From the options of regularisation to the parts of a task's training."""

from collections.abc import Callable
from typing import Any

from keras_roberta.jobs.options.regularization import RegularizationOptions
from keras_roberta.tasks.task import RobertaTask
from keras_roberta.training.optimizer.layerwise_decay import layerwise_decay
from keras_roberta.training.step.confidence_penalty import ConfidencePenalty
from keras_roberta.training.step.fast_gradient_method import FastGradientMethod
from keras_roberta.training.step.mixout import Mixout
from keras_roberta.training.step.r_drop import RDrop


def encoder_settings(options: RegularizationOptions) -> dict[str, float | None]:
    """Arguments of `RobertaBackbone.from_preset`."""
    return {
        "encoder_dropout": options.dropout,
        "attention_dropout": options.attention_dropout,
        "activation_dropout": options.activation_dropout,
        "layer_drop": options.layer_drop,
    }


def optimizer_settings(model: RobertaTask, options: RegularizationOptions) -> dict[str, Any]:
    """Arguments of `finetuning_optimizer`."""
    settings: dict[str, Any] = {}
    if options.layer_decay is not None:
        num_layers = model.backbone.config.num_layers
        settings["learning_rate_multipliers"] = layerwise_decay(num_layers, options.layer_decay)
    if options.ema_momentum is not None:
        settings |= {"use_ema": True, "ema_momentum": options.ema_momentum}
    return settings


def loss_transforms(
    model: RobertaTask, options: RegularizationOptions, seed: int
) -> list[Callable]:
    """Of `compile`; to be called before the weights of a run that goes on are loaded."""
    transforms: list[Callable] = []
    if options.confidence_penalty is not None:
        transforms.append(ConfidencePenalty(options.confidence_penalty))
    if options.r_drop is not None:
        transforms.append(RDrop(options.r_drop))
    if options.mixout is not None:
        transforms.append(Mixout(model, options.mixout, seed))
    return transforms


def gradient_transforms(options: RegularizationOptions) -> list[Callable]:
    """Of `compile`."""
    return [] if options.fgm is None else [FastGradientMethod(options.fgm)]
