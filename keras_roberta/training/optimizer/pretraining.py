"""RoBERTa's optimizer for pre-training, and the rate that goes with a batch size."""

import numpy as np

from keras_roberta.training.optimizer.roberta_adamw import RobertaAdamW
from keras_roberta.training.optimizer.schedules import warmup_and_decay

# Sequences a step -> peak rate, at the width of roberta-base.
_PEAKS = {256: 1e-4, 2048: 5e-4, 8192: 7e-4}
_WIDTH = 768


def peak_learning_rate(batch_size, hidden_dim=_WIDTH):
    """The peak rate for a batch size.

    Between the known points a straight line on two logarithmic axes (a power law, as the square
    root rule is one); beyond them the rate of the nearest. The rate goes with 1 / width, as Adam's
    does when a model is scaled (Yang et al., 2022, "Tensor Programs V", table 3).

    Args:
        batch_size: sequences an optimizer step.
        hidden_dim: width of the model.

    >>> [f"{peak_learning_rate(n):.2g}" for n in (32, 256, 1024, 8192)]
    ['0.0001', '0.0001', '0.00029', '0.0007']
    >>> f"{peak_learning_rate(256, hidden_dim=384):.2g}"
    '0.0002'
    """
    known = np.log(list(_PEAKS)), np.log(list(_PEAKS.values()))
    return float(np.exp(np.interp(np.log(batch_size), *known)) * _WIDTH / hidden_dim)


def pretraining_optimizer(
    learning_rate=1e-4,
    *,
    total_steps: int | None = None,
    warmup: float = 0.05,
    weight_decay: float = 0.01,
    beta_2: float = 0.98,
    epsilon: float = 1e-6,
    clip_norm: float | None = None,
    **kwargs,
) -> RobertaAdamW:
    """RoBERTa's optimizer for pre-training (Liu et al., 2019, section 3.1 and table 9).

    Args:
        learning_rate: the peak, or a Keras schedule of your own.
        total_steps, warmup: see `LinearWarmupDecay`; with None `fit` spreads the schedule itself.
        weight_decay: decoupled; not applied to biases and layer norms.
        clip_norm: bound on the norm of all gradients together; RoBERTa does not clip.
        **kwargs: further arguments of `RobertaAdamW`, such as `use_ema` and `ema_momentum`.

    Returns:
        `RobertaAdamW`
    """
    return RobertaAdamW(
        warmup_and_decay(learning_rate, total_steps, warmup),
        weight_decay=weight_decay,
        beta_2=beta_2,
        epsilon=epsilon,
        global_clipnorm=clip_norm,
        **kwargs,
    )
