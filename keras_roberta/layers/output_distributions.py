"""What a task's outputs say as probabilities: their entropy, and how far two of them are apart.

Each method gives a value for each row, or for each token where a task answers tokens, so that
sample weights apply to it as to the loss.
"""

import keras
from keras import ops

from keras_roberta.layers.tensor import Tensor


class Categorical:
    """Classes that exclude one another.

    Args:
        axis: of the outputs, along which the classes lie. Axes behind it are further choices of the
            same row, over which the mean is taken.
        from_logits: whether outputs are logits; else they are probabilities.
    """

    def __init__(self, axis: int = -1, from_logits: bool = True):
        self.axis, self.from_logits = axis, from_logits

    def entropy(self, outputs: Tensor) -> Tensor:
        """-sum of p log p, in nats: float32, without the axis of the classes.

        Args:
            outputs: float (rows, ..., classes), or with the classes along `axis`.
        """
        log_p = self._log_probabilities(outputs)
        return self._of_rows(-ops.sum(ops.exp(log_p) * log_p, axis=self.axis))

    def divergence(self, outputs: Tensor, others: Tensor) -> Tensor:
        """The mean of both Kullback-Leibler divergences, float32 like `entropy`.

        Args:
            outputs, others: of the same shape.
        """
        log_p, log_q = self._log_probabilities(outputs), self._log_probabilities(others)
        apart = (ops.exp(log_p) - ops.exp(log_q)) * (log_p - log_q)
        return self._of_rows(ops.sum(apart, axis=self.axis) / 2)

    def _log_probabilities(self, outputs):
        outputs = ops.cast(outputs, "float32")
        if not self.from_logits:
            outputs = ops.log(ops.maximum(outputs, keras.config.epsilon()))
        return ops.log_softmax(outputs, axis=self.axis)

    def _of_rows(self, values):
        return values if self.axis == -1 else ops.mean(values, axis=-1)


class Bernoulli:
    """Several decisions of yes or no for each row: the mean over them.

    Args:
        from_logits: whether outputs are logits; else they are probabilities.
    """

    def __init__(self, from_logits: bool = True):
        self.from_logits = from_logits

    def entropy(self, outputs: Tensor) -> Tensor:
        """See `Categorical.entropy`: float32 (rows,).

        Args:
            outputs: float (rows, decisions).
        """
        logits = self._logits(outputs)
        yes, no = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)
        return -ops.mean(ops.exp(yes) * yes + ops.exp(no) * no, axis=-1)

    def divergence(self, outputs: Tensor, others: Tensor) -> Tensor:
        """See `Categorical.divergence`: float32 (rows,)."""
        a, b = self._logits(outputs), self._logits(others)
        return ops.mean((ops.sigmoid(a) - ops.sigmoid(b)) * (a - b), axis=-1) / 2

    def _logits(self, outputs):
        outputs = ops.cast(outputs, "float32")
        if self.from_logits:
            return outputs
        tiny = keras.config.epsilon()
        outputs = ops.clip(outputs, tiny, 1 - tiny)
        return ops.log(outputs) - ops.log(1 - outputs)


class Normal:
    """Numbers, each the mean of a normal distribution of variance 1. They all have the same
    entropy, so that there is none to change."""

    def divergence(self, outputs: Tensor, others: Tensor) -> Tensor:
        """Half the squared difference, as both Kullback-Leibler divergences: float32 (rows,).

        Args:
            outputs, others: float (rows, numbers).
        """
        apart = ops.cast(outputs, "float32") - ops.cast(others, "float32")
        return ops.mean(ops.square(apart), axis=-1) / 2
