"""Losses that draw the vectors of like texts together, on all backends.

The outputs are vectors (examples * k, size): k texts an example, one after the other. The first two
belong together; the others, where there are any, are hard negatives, which are like the first but
do not belong to it.
"""

import keras
from keras import ops

from keras_roberta.layers.pooling import unit_vectors
from keras_roberta.layers.tensor import Tensor

_EXCLUDED = -1e9  # in place of a logit: its probability is 0


@keras.saving.register_keras_serializable(package="keras_roberta")
class InBatchNegativesLoss(keras.losses.Loss):
    """Each first text has to find its second among those of the batch and all hard negatives.

    The cross-entropy of softmax(scale * cosine), as "multiple negatives ranking" (Henderson et al.,
    2017, section 4) and InfoNCE (van den Oord et al., 2018, equation 4). A candidate that is the
    same text as one of the example's own, or that belongs to the same first text, is no negative.

    With several replicas, and with gradient accumulation, the candidates are those of the part of
    the batch that a replica or a step computes at once.

    Args:
        scale: of the cosines; the inverse of a temperature.

    Call arguments:
        y_true: (examples, k), a number for each text, the same for the same text.
        y_pred: float (examples * k, size)

    Returns:
        float32 (examples,)
    """

    def __init__(self, scale: float = 20.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        vectors = by_example(y_pred, y_true)  # (examples, k, size)
        firsts, others = vectors[:, 0], _one_behind_another(vectors)
        logits = self.scale * ops.matmul(firsts, ops.transpose(others))  # (examples, candidates)
        logits = ops.where(_no_negatives(y_true), _EXCLUDED, logits)
        # The seconds stand first among the candidates: that of example i is candidate i.
        right = ops.sum(firsts * vectors[:, 1], axis=-1) * self.scale
        return ops.logsumexp(logits, axis=-1) - right

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="keras_roberta")
class CosineLoss(keras.losses.Loss):
    """The squared difference of a pair's cosine and its score (Reimers & Gurevych, 2019, section 3,
    the regression objective).

    Args:
        score_range: (least, most) of the scores, which stand for the cosines 0 and 1; None where
            scores are cosines, from -1 to 1.

    Call arguments:
        y_true: (examples,), scores.
        y_pred: float (examples * k, size); hard negatives are not read.

    Returns:
        float32 (examples,)
    """

    def __init__(self, score_range: tuple[float, float] | None = None, **kwargs):
        super().__init__(**kwargs)
        self.score_range = score_range

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        least, most = self.score_range or (0.0, 1.0)
        wanted = (ops.reshape(y_true, (-1,)) - least) / (most - least)
        return ops.square(_cosines(y_true, y_pred) - wanted)

    def get_config(self):
        return {**super().get_config(), "score_range": self.score_range}


@keras.saving.register_keras_serializable(package="keras_roberta")
class CoSENTLoss(keras.losses.Loss):
    """Pairs with a larger score have to have a larger cosine (Su, 2022, "CoSENT").

    log(1 + sum of exp(scale * (cosine i - cosine j))) over all pairs i with a smaller score than
    the pair j of the same batch. The scores may have any scale. With several replicas pairs are
    compared within a replica's part of the batch, see `InBatchNegativesLoss`. Sample weights scale
    it as a whole.

    Args:
        scale: of the cosines.

    Call arguments: see `CosineLoss`.

    Returns:
        float32 (1,)
    """

    def __init__(self, scale: float = 20.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        cosines, scores = _cosines(y_true, y_pred) * self.scale, ops.reshape(y_true, (-1,))
        differences = cosines[:, None] - cosines[None, :]  # (i, j)
        wrong_order = scores[:, None] < scores[None, :]
        terms = ops.reshape(ops.where(wrong_order, differences, _EXCLUDED), (1, -1))
        return ops.logsumexp(ops.concatenate([terms, ops.zeros_like(terms[:, :1])], 1), axis=-1)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="keras_roberta")
class SimilarityLoss(keras.losses.Loss):
    """`CosineLoss` where pairs have scores, `InBatchNegativesLoss` where they have none.

    Args:
        scale: see `InBatchNegativesLoss`.
        score_range: see `CosineLoss`.

    Call arguments:
        y_true: scores (examples,), or numbers of the texts (examples, k).
        y_pred: float (examples * k, size)
    """

    def __init__(
        self, scale: float = 20.0, score_range: tuple[float, float] | None = None, **kwargs
    ):
        super().__init__(**kwargs)
        self.scale, self.score_range = scale, score_range

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        if len(y_true.shape) == 1:
            return CosineLoss(self.score_range).call(y_true, y_pred)
        return InBatchNegativesLoss(self.scale).call(y_true, y_pred)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "score_range": self.score_range}


def by_example(vectors: Tensor, targets: Tensor) -> Tensor:
    """Vectors as unit vectors (examples, k, size), as many examples as there are targets."""
    size = vectors.shape[-1]
    return ops.reshape(unit_vectors(vectors), (ops.shape(targets)[0], -1, size))


def _cosines(y_true, y_pred):
    vectors = by_example(y_pred, y_true)
    return ops.sum(vectors[:, 0] * vectors[:, 1], axis=-1)


def _one_behind_another(x):
    """(examples, k, size) without the first texts: all seconds, then all thirds and so on,
    (examples * (k - 1), size)."""
    return ops.reshape(ops.transpose(x[:, 1:], (1, 0, 2)), (-1, x.shape[-1]))


def _no_negatives(numbers):
    """Which candidates are left out: bool (examples, examples * (k - 1)).

    Those that are one of the example's first two texts, and the seconds of examples with the same
    first; but not the example's own second, which is the right one.
    """
    own, candidates = numbers[:, :2], _one_behind_another(numbers[:, :, None])[:, 0]
    examples, all_candidates = ops.arange(ops.shape(own)[0]), ops.arange(ops.shape(candidates)[0])
    same_text = ops.any(own[:, :, None] == candidates, axis=1)
    same_first = numbers[:, :1] == numbers[:, 0]  # (examples, examples)
    rest = ops.zeros_like(same_text[:, ops.shape(own)[0] :])
    belongs = ops.logical_or(same_text, ops.concatenate([same_first, rest], axis=1))
    return ops.logical_and(belongs, examples[:, None] != all_candidates)
