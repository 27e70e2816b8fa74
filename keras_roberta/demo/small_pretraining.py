"""A minute of masked language modelling on one machine: enough for a small encoder to help."""

import time

import keras
import numpy as np
import tensorflow as tf

from keras_roberta.data.examples.masked_lm_preprocessor import RobertaMaskedLMPreprocessor
from keras_roberta.data.pretraining.cooccurrence import token_vectors
from keras_roberta.errors import InputError
from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.tasks.masked_lm import RobertaMaskedLM
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer
from keras_roberta.training.runs.progress import ProgressBar

_HELD_OUT_ROWS = 128
_CURVE_EVERY = 20  # steps a point of the loss curve
_TRIAL_STEPS = 10


def pretrain(
    texts,
    tokenizer,
    config,
    seconds=60,
    max_steps=800,
    batch_size=16,
    sequence_length=128,
    learning_rate=5e-4,
):
    """Trains a new encoder to fill in hidden tokens, from `token_vectors` of the texts.

    Args:
        texts: list of strings; put one after the other and cut into rows of `sequence_length`.
        config: `RobertaConfig`
        seconds: about how long. The number of steps follows from the speed of the first ones, so
            that the learning rate comes down in time on a slow machine too.
        max_steps: fewer seconds where so many steps are done before.

    Returns:
        `RobertaMaskedLM`, and a dict of `loss_before`, `loss_after` (on rows held out),
        `loss_curve` (pairs of step and training loss), `steps` and `tokens`.
    """
    preprocessor = RobertaMaskedLMPreprocessor(tokenizer, sequence_length)
    rows = packed_rows(texts, tokenizer, sequence_length)
    held_out = min(_HELD_OUT_ROWS, len(rows) // 10)
    if held_out < batch_size:
        raise InputError(
            f"{len(rows)} rows of {sequence_length} tokens are too few to pre-train on"
        )
    # Shuffled once, here: a minute sees few of the rows twice.
    rows = np.random.default_rng(config.seed).permutation(rows)
    model = RobertaMaskedLM(RobertaBackbone(config), preprocessor)
    table = model.backbone.token_embedding.embeddings
    table.assign(token_vectors(rows[held_out:], *table.shape, seed=config.seed))
    training = model.prepare_batches(_features(rows[held_out:]).repeat().batch(batch_size))
    # Cached: hidden once, so that the losses before and after are about the same tokens.
    validation = _features(rows[:held_out]).batch(batch_size, drop_remainder=True)
    validation = validation.map(preprocessor.mask).cache()
    model.compile(finetuning_optimizer(0.0))  # Timed with a rate of 0: nothing is learnt yet.
    steps = min(max_steps, max(_TRIAL_STEPS, int(seconds / _seconds_a_step(model, training))))
    model.compile(finetuning_optimizer(learning_rate, weight_decay=0.01, warmup=0.1))
    before = model.evaluate(validation, verbose=0)[0]
    curve, bar = _LossCurve(), ProgressBar("pre-training")
    try:
        model.fit(training, steps_per_epoch=steps, callbacks=[bar, curve], verbose=0, shuffle=False)
    finally:
        bar.close()
    return model, {
        "loss_before": before,
        "loss_after": model.evaluate(validation, verbose=0)[0],
        "loss_curve": curve.points,
        "steps": steps,
        "tokens": steps * batch_size * sequence_length,
    }


def packed_rows(texts, tokenizer, length):
    """The texts' ids in one line, each with its `<s>` and `</s>`, cut into rows: (rows, length)."""
    values, _ = tokenizer.encode_ragged(texts, None, max_length=10**6)
    return values[: len(values) // length * length].reshape(-1, length).astype("int32")


def _features(rows):
    dataset = tf.data.Dataset.from_tensor_slices(rows)
    return dataset.map(lambda ids: {"token_ids": ids, "padding_mask": tf.ones_like(ids)})


def _seconds_a_step(model, dataset):
    """Time of a training step, after one that compiles."""
    batches = iter(dataset)
    model.train_on_batch(*next(batches))
    started = time.monotonic()
    for _ in range(_TRIAL_STEPS):
        model.train_on_batch(*next(batches))
    return (time.monotonic() - started) / _TRIAL_STEPS


class _LossCurve(keras.callbacks.Callback):
    """Keeps the training loss."""

    def __init__(self):
        super().__init__()
        self.points, self._sums = [], [0.0]

    def on_train_batch_end(self, batch, logs=None):
        # Keras reports the mean over the epoch so far; a point is the mean of the last steps.
        self._sums.append(float(logs["loss"]) * (batch + 1))
        if (batch + 1) % _CURVE_EVERY == 0:
            mean = (self._sums[-1] - self._sums[-1 - _CURVE_EVERY]) / _CURVE_EVERY
            self.points.append((batch + 1, mean))
