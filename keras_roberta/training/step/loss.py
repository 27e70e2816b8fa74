"""The loss of a batch, and its entry in the model's metrics."""

import contextlib
import contextvars

import keras
import tensorflow as tf

from keras_roberta.training.step.batch import Batch, BatchLoss, LossFunction

_COUNTS_METRICS = contextvars.ContextVar("counts metrics", default=True)


def model_loss(model: keras.Model, batch: Batch) -> BatchLoss:
    """The loss that the model was compiled with; the model is called with `training=True`."""
    outputs = model(batch.x, training=True)
    loss = model.compute_loss(batch.x, batch.y, outputs, batch.sample_weight, training=True)
    return BatchLoss(loss, outputs)


def counted(loss_fn: LossFunction) -> LossFunction:
    """The same loss function; each call also enters the batch into the model's metrics.

    It comes after all loss transforms, so that a transform may run the model twice and the batch
    is still counted once.
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
def without_metrics():
    """Within, gradient functions leave the model's metrics alone.

    For gradient transforms that need the gradients of one batch twice, such as those that train
    on disturbed embeddings: the second call goes in here.
    """
    token = _COUNTS_METRICS.set(False)
    try:
        yield
    finally:
        _COUNTS_METRICS.reset(token)


def counts_metrics() -> bool:
    """Whether metrics are counted here; see `without_metrics`."""
    return _COUNTS_METRICS.get()
