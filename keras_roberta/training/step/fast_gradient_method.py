"""A gradient transform that also learns from embeddings moved to raise the loss."""

from typing import Any

import keras
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.training.checked_number import checked_positive
from keras_roberta.training.optimizer.adamw_update import global_norm, merge_rows
from keras_roberta.training.step.batch import GradientFunction, Gradients
from keras_roberta.training.step.loss import without_metrics
from keras_roberta.training.step.with_values import with_values


@keras.saving.register_keras_serializable(package="keras_roberta")
class FastGradientMethod:
    """Adversarial training on the token embeddings (Miyato et al., 2017, "Adversarial Training
    Methods for Semi-Supervised Text Classification", section 3).

    A second pass of each step is computed with

        embeddings + epsilon * gradient / norm of the gradient

    and the gradients of the step are the mean of both. The paper moves the vectors of each text by
    its own gradient, of embeddings that are normalised; here, as mostly with pre-trained encoders,
    the table is moved as a whole, by the gradient of the batch. With gradient accumulation and
    several replicas it is that of each part. The logged loss is that of the first pass. A step
    takes twice the time.

    Args:
        epsilon: how far the table is moved, all rows together; 1 is usual.

    Raises:
        InputError: epsilon is not positive; in the first step, where the embeddings are frozen.
    """

    def __init__(self, epsilon: float = 1.0):
        self.epsilon = checked_positive("FastGradientMethod: epsilon", epsilon)

    def __call__(self, gradient_fn: GradientFunction) -> GradientFunction:
        def both(model, batch) -> Gradients:
            table = model.backbone.token_embedding.embeddings
            places = [i for i, v in enumerate(model.trainable_variables) if v is table]
            if not places:
                raise InputError(
                    "FastGradientMethod: the token embeddings are frozen; leave it out"
                )
            first = gradient_fn(model, batch)
            moved = self._moved(tf.convert_to_tensor(table.value), first[places[0]])
            with without_metrics():
                second = with_values(model, [(table, moved)], lambda: gradient_fn(model, batch))
            return [_mean(a, b) for a, b in zip(first, second, strict=True)]

        return both

    def _moved(self, table, gradient):
        gradient = merge_rows(gradient, table)
        scale = tf.math.divide_no_nan(self.epsilon, global_norm([gradient]))
        if isinstance(gradient, tf.IndexedSlices):
            rows = tf.expand_dims(gradient.indices, 1)
            return tf.tensor_scatter_nd_add(table, rows, gradient.values * scale)
        return table + gradient * scale

    def get_config(self) -> dict[str, Any]:
        return {"epsilon": self.epsilon}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FastGradientMethod":
        return cls(**config)


def _mean(a, b):
    if a is None or b is None:
        return None  # the loss does not depend on the variable
    if isinstance(a, tf.IndexedSlices) and isinstance(b, tf.IndexedSlices):
        values = tf.concat([a.values, b.values], axis=0) / 2
        return tf.IndexedSlices(values, tf.concat([a.indices, b.indices], axis=0), a.dense_shape)
    return (tf.convert_to_tensor(a) + tf.convert_to_tensor(b)) / 2
