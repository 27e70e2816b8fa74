"""A loss transform that takes weights back to where fine-tuning began, others in each step."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.layers.dropout import dropout
from keras_roberta.training.checked_number import checked_positive
from keras_roberta.training.step.batch import BatchLoss, LossFunction
from keras_roberta.training.step.with_values import with_values


class Mixout:
    """Mixout (Lee et al., 2020, "Mixout: Effective Regularization to Finetune Large-scale
    Pretrained Language Models", section 3).

    Each step computes with a share of the weights as they were when this was made. The others are
    scaled up away from there, so that the mean is the weight itself (equation 5):

        start + dropout(weight - start)

    It takes the matrices of the encoder's blocks. Embeddings, biases and layer norms are left as
    they are, and so is the head, which has no start worth keeping. The parts of a step (gradient
    accumulation), its replicas and the passes of R-Drop have the same weights. The paper puts it in
    place of dropout: `encoder_dropout=0`.

    Args:
        task: with the weights to go back to. Under a strategy, to be called in its scope.
        rate: the share, in (0, 1); 0.7 to 0.9 in the paper.
        seed: int, of which weights they are; a step with the same number takes the same ones, so
            that a run that goes on needs nothing to be saved. Of large numbers the last 32 bits
            count.

    Raises:
        InputError: the rate is out of bounds, the seed is no integer, or the matrices are frozen,
            as with adapters.
    """

    def __init__(self, task: Any, rate: float = 0.7, seed: int = 0):
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise InputError(f"Mixout: seed must be an integer; got {seed!r}")
        self.rate, self.seed = checked_positive("Mixout: rate", rate, below=1), int(seed)
        kernels = {
            id(weight): weight  # once, also where layers share it
            for name, weight in task.backbone.weights_by_name().items()
            if name.startswith("encoder/") and name.endswith("/kernel")
            # With an adapter it is a tensor, made from a frozen matrix.
            if isinstance(weight, keras.Variable) and weight.trainable
        }
        if not kernels:
            raise InputError("Mixout: the encoder's matrices are frozen; leave it out")
        self._kernels = list(kernels.values())
        self.variables = [
            keras.Variable(np.array(kernel), trainable=False, dtype=kernel.dtype)
            for kernel in self._kernels
        ]

    def __call__(self, loss_fn: LossFunction) -> LossFunction:
        def mixed(model, batch) -> BatchLoss:
            step = tf.cast(tf.convert_to_tensor(model.optimizer.iterations), "int32")
            values = [
                (kernel, self._mixed(kernel, start, tf.stack([self._seed_of(i), step])))
                for i, (kernel, start) in enumerate(zip(self._kernels, self.variables, strict=True))
            ]
            return with_values(model, values, lambda: loss_fn(model, batch))

        return mixed

    def _seed_of(self, i):
        """The bits of the seed of a matrix, as `dropout` takes them."""
        return np.array((self.seed + i) % 2**32, "uint32").view("int32")

    def _mixed(self, kernel, start, seed):
        start = tf.convert_to_tensor(start.value)
        return dropout(tf.convert_to_tensor(kernel.value) - start, self.rate, seed, residual=start)
