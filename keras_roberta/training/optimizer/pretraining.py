"""RoBERTa's optimizer for pre-training, and the learning rate for a batch size."""

from typing import Any

import keras
import numpy as np

from keras_roberta.training.optimizer.roberta_adamw import RobertaAdamW
from keras_roberta.training.optimizer.schedules import warmup_and_decay

# Sequences per step -> peak rate, at the width of roberta-base.
_PEAKS = {256: 1e-4, 2048: 5e-4, 8192: 7e-4}
_WIDTH = 768


def peak_learning_rate(batch_size: int, hidden_dim: int = _WIDTH) -> float:
    """The peak learning rate for a batch size.

    RoBERTa's rates are known for 256, 2,048 and 8,192 sequences. Between them the rate follows a
    straight line on two logarithmic axes, which is a power law like the square root rule. Outside
    them it is the rate of the nearest known batch size. The rate is proportional to 1 / width, as
    it is for Adam when a model is scaled (Yang et al., 2022, "Tensor Programs V", table 3).

    Args:
        batch_size: sequences per optimizer step.
        hidden_dim: width of the model.

    >>> [f"{peak_learning_rate(n):.2g}" for n in (32, 256, 1024, 8192)]
    ['0.0001', '0.0001', '0.00029', '0.0007']
    >>> f"{peak_learning_rate(256, hidden_dim=384):.2g}"
    '0.0002'
    """
    known = np.log(list(_PEAKS)), np.log(list(_PEAKS.values()))
    return float(np.exp(np.interp(np.log(batch_size), *known)) * _WIDTH / hidden_dim)


def pretraining_optimizer(
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-4,
    *,
    total_steps: int | None = None,
    warmup: float = 0.05,
    weight_decay: float = 0.01,
    beta_2: float = 0.98,
    epsilon: float = 1e-6,
    clip_norm: float | None = None,
    **kwargs: Any,
) -> RobertaAdamW:
    """RoBERTa's optimizer for pre-training (Liu et al., 2019, section 3.1 and table 9).

    Args:
        learning_rate: the peak learning rate, or your own Keras schedule, used as it is.
        total_steps: optimizer steps of the whole run. None: `fit` fills in its number of steps.
        warmup: steps of the warm-up, or its share of the run when below 1.
        weight_decay: decoupled; not applied to biases and layer norms.
        clip_norm: largest norm of all gradients together. None, as in RoBERTa: no clipping.
        **kwargs: more arguments of `RobertaAdamW`, such as `use_ema` and `ema_momentum`.

    Returns:
        a `RobertaAdamW`
    """
    return RobertaAdamW(
        warmup_and_decay(learning_rate, total_steps, warmup),
        weight_decay=weight_decay,
        beta_2=beta_2,
        epsilon=epsilon,
        global_clipnorm=clip_norm,
        **kwargs,
    )
