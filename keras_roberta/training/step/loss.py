"""The loss of a batch, and the update of the model's metrics."""

import contextlib
import contextvars
from collections.abc import Iterator

import keras
import tensorflow as tf

from keras_roberta.training.step.batch import Batch, BatchLoss, LossFunction

_COUNTS_METRICS = contextvars.ContextVar("counts metrics", default=True)


def model_loss(model: keras.Model, batch: Batch) -> BatchLoss:
    """The compiled loss of the model for a batch; the model is called with `training=True`."""
    outputs = model(batch.x, training=True)
    loss = model.compute_loss(batch.x, batch.y, outputs, batch.sample_weight, training=True)
    return BatchLoss(loss, outputs)


def counted(loss_fn: LossFunction) -> LossFunction:
    """The same loss function, but each call also updates the model's metrics.

    It is applied after all loss transforms. So if a transform runs the model twice, the metrics
    still count the batch once.
    """

    def with_metrics(model, batch):
        result = loss_fn(model, batch)
        if counts_metrics():
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            tracker = next(metric for metric in model.metrics if metric.name == "loss")
            tracker.update_state(result.loss * replicas, sample_weight=batch.rows)
            model.compute_metrics(batch.x, batch.y, result.outputs, batch.sample_weight)
        return result

    return with_metrics


@contextlib.contextmanager
def without_metrics() -> Iterator[None]:
    """A context in which gradient functions do not update the model's metrics.

    It is for gradient transforms that compute the gradients of a batch twice, such as adversarial
    training on the embeddings. They make the second call inside this context.
    """
    token = _COUNTS_METRICS.set(False)
    try:
        yield
    finally:
        _COUNTS_METRICS.reset(token)


def counts_metrics() -> bool:
    """Whether metrics are updated, that is, outside of `without_metrics`."""
    return _COUNTS_METRICS.get()
