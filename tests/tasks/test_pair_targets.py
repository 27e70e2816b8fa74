"""What each loss of pairs learns from."""

import numpy as np
import pytest

from keras_roberta.errors import InputError
from keras_roberta.layers.similarity_losses import (
    CoSENTLoss,
    CosineLoss,
    InBatchNegativesLoss,
    SimilarityLoss,
)
from keras_roberta.tasks.pair_targets import check_pair_targets

COSINES, SCORES, NUMBERS = np.array([0.5, -1.0]), np.array([0.5, 4.0]), np.array([[0, 1], [2, 3]])


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (SimilarityLoss(), COSINES),
        (SimilarityLoss(), NUMBERS),
        (SimilarityLoss(score_range=(0, 5)), SCORES),
        (CosineLoss(), COSINES),
        (CosineLoss((0, 5)), SCORES),
        (CoSENTLoss(), SCORES),
        (InBatchNegativesLoss(), NUMBERS),
        (lambda y_true, y_pred: 0.0, SCORES),
        (None, NUMBERS),
    ],
)
def test_what_is_learnt(loss, targets):
    check_pair_targets(loss, targets)


@pytest.mark.parametrize(
    ("loss", "targets", "message"),
    [
        (SimilarityLoss(), SCORES, "row 1: the score 4 is no cosine.*score_range"),
        (CosineLoss(), SCORES, "row 1: the score 4 is no cosine"),
        (CosineLoss(), NUMBERS, "CosineLoss learns from the scores of pairs, but there are none"),
        (CoSENTLoss(), NUMBERS, "CoSENTLoss learns from the scores of pairs"),
        (InBatchNegativesLoss(), COSINES, "InBatchNegativesLoss learns from pairs without scores"),
    ],
)
def test_what_is_refused(loss, targets, message):
    with pytest.raises(InputError, match=message) as error:
        check_pair_targets(loss, targets)
    assert "\n" not in str(error.value)
