"""Which targets the losses of pairs of texts learn from."""

from typing import Any

import numpy as np

from keras_roberta.data.examples.label_names import LabelError
from keras_roberta.errors import InputError
from keras_roberta.layers.similarity_losses import (
    CoSENTLoss,
    CosineLoss,
    InBatchNegativesLoss,
    SimilarityLoss,
)


def check_pair_targets(loss: Any, targets: np.ndarray) -> None:
    """Raises where a loss of `layers.similarity_losses` does not learn from these targets; of any
    other loss it is not known.

    Args:
        loss: what a task was compiled with.
        targets: as `TextVectors.targets` gives them.

    Raises:
        InputError: there are scores and there should be none, or the other way round.
        LabelError: names the first score that is no cosine where the loss compares it with one.
    """
    name, has_scores = type(loss).__name__, targets.ndim == 1
    if has_scores and isinstance(loss, InBatchNegativesLoss):
        raise InputError(
            f"{name} learns from pairs without scores; leave the scores out, or compile the task "
            "with CosineLoss or CoSENTLoss"
        )
    if not has_scores and isinstance(loss, (CosineLoss, CoSENTLoss)):
        raise InputError(
            f"{name} learns from the scores of pairs, but there are none; give them as y, or "
            "compile the task with InBatchNegativesLoss"
        )
    reads_cosines = isinstance(loss, (CosineLoss, SimilarityLoss)) and loss.score_range is None
    if not (has_scores and reads_cosines):
        return
    for row in np.flatnonzero(np.abs(targets) > 1)[:1].tolist():
        raise LabelError(
            row,
            f"the score {targets[row]:g} is no cosine, which is from -1 to 1; give the task "
            "score_range=(least, most)",
        )
