"""Shards as batches for pre-training.

Batch i is a function of (shards, options, split, seed, i): a run that starts again at step i sees
what it would have seen, and so do several workers together.
"""

import contextlib
import re

import numpy as np
import tensorflow as tf

from keras_roberta.data import masking
from keras_roberta.data.autotuning import without_autotuning
from keras_roberta.data.pretraining.batch_options import BatchOptions
from keras_roberta.data.pretraining.samples import Samples
from keras_roberta.errors import InputError

__all__ = [
    "BatchOptions",
    "batch_statistics",
    "evaluation_batches",
    "input_errors",
    "pretraining_batches",
]


def pretraining_batches(
    shards, options, split="train", seed=0, start_step=0, num_workers=1, worker_index=0
):
    """An endless `tf.data.Dataset` of (features, targets, sample_weights), a dict each.

    Args:
        shards: `Shards`
        options: `BatchOptions`
        seed: decides order and masking.
        start_step: the number of the first batch; those before are not read.
        num_workers, worker_index: this worker's part of every batch, the rows from
            `worker_index * batch_size / num_workers` on.

    Returns:
        features: int32 `token_ids`, `padding_mask` (rows, length); `segment_ids` (rows, length) of
            block-diagonal packing, the blocks from 1 and 0 at padding; `mask_positions`
            (rows, predictions) with mlm.
        targets and weights of each objective:
            mlm: true ids (rows, predictions).
            sop (rows,): 0 in order, 1 swapped. nsp (rows,): 0 follows, 1 of another document.
            choice (rows / num_choices,): of each `num_choices` successive rows the true one.
            tokens (rows, length): see `Shards.token_labels`.
        Targets are int32, weights float32 of the same shape, 0 where there is nothing to learn.

    Raises:
        InputError: the shards do not hold what the options ask for. While the dataset is read,
            TensorFlow wraps it; see `input_errors`.
    """
    if not 0 <= worker_index < num_workers:
        raise InputError(f"worker_index {worker_index} is outside 0..{num_workers - 1}")
    if start_step < 0:
        raise InputError(f"start_step must not be negative; got {start_step}")
    samples = Samples(shards, options, split, seed)
    steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
    return _batches(steps, samples, shards, options, num_workers, worker_index)


def evaluation_batches(shards, options, seed=0, max_batches=None, language=None, split="heldout"):
    """The same elements from the held-out documents: each row once, always masked alike.

    The rows are spread evenly, so that a mean over batches is one over rows; what is missing in a
    batch are rows of weight 0.

    Args:
        max_batches: stop after so many.
        language: a name, for the rows of one language alone.
    """
    languages = None if language is None else [language]
    samples = Samples(shards, options, split, seed, once=True, languages=languages)
    num_batches = min(samples.num_batches, max_batches or samples.num_batches)
    return _batches(tf.data.Dataset.range(num_batches), samples, shards, options, 1, 0)


def batch_statistics(shards, options, split="train"):
    """What the batches hold, to be printed: `rows` and `shares`, dicts by language, and `padding`,
    the share of tokens that are padding."""
    samples = Samples(shards, options, split, seed=0)
    return {"rows": samples.num_rows, "shares": samples.shares, "padding": samples.padding}


@contextlib.contextmanager
def input_errors():
    """Turns what TensorFlow makes of an `InputError` in a dataset into that error again."""
    try:
        yield
    except tf.errors.OpError as error:
        message = re.search(r"InputError: (.*)", error.message or "")
        if message is None:
            raise
        raise InputError(message[1]) from None


def _samples_a_batch(options):
    return options.batch_size // (options.num_choices if "choice" in options.objectives else 1)


def _batches(steps, samples, shards, options, num_workers, worker_index):
    size = _samples_a_batch(options)
    if size % num_workers:
        raise InputError(
            f"batch_size {options.batch_size} does not divide over {num_workers} workers"
        )
    here = size // num_workers
    rows = options.batch_size // num_workers
    example = samples.batch(0, 0)  # No rows: only to know names and types.
    names = list(example)

    def read(step):
        batch = samples.batch(int(step) * size + worker_index * here, here)
        return [batch[name] for name in names]

    @tf.autograph.experimental.do_not_convert  # neither has control flow on tensors
    def load(step):
        tensors = tf.numpy_function(read, [step], [example[name].dtype for name in names])
        batch = dict(zip(names, tensors, strict=True))
        for name, tensor in batch.items():
            first = here if name.startswith("choice") else rows
            tensor.set_shape((first, *example[name].shape[1:]))
        return batch

    dataset = steps.map(load, num_parallel_calls=2, deterministic=True)
    dataset = dataset.map(_element_maker(shards, options), num_parallel_calls=2, deterministic=True)
    return without_autotuning(dataset.prefetch(4))


def _element_maker(shards, options):
    """A function from the arrays of `Samples.batch` to (features, targets, weights)."""
    tokenizer = shards.tokenizer
    starts_word = None if options.mask_units == "token" else tokenizer.starts_word()
    columns = masking.num_predictions(
        options.sequence_length, options.mask_rate, options.mask_units
    )

    @tf.autograph.experimental.do_not_convert
    def element(batch):
        token_ids = batch["token_ids"]
        features = {
            "token_ids": token_ids,
            "padding_mask": tf.cast(token_ids != tokenizer.pad_token_id, tf.int32),
        }
        if "segment_ids" in batch:
            features["segment_ids"] = batch["segment_ids"]
        targets, weights = {}, {}
        for name in options.objectives:
            if name != "mlm":
                targets[name], weights[name] = batch[name], batch[f"{name}_weights"]
                continue
            maskable = tf.reduce_all(
                token_ids[:, :, None] != tf.constant(tokenizer.special_token_ids), axis=2
            )
            features["token_ids"], features["mask_positions"], targets[name], weights[name] = (
                masking.mask_tokens(
                    token_ids,
                    maskable,
                    num_predictions=columns,
                    vocabulary_size=tokenizer.vocabulary_size,
                    mask_token_id=tokenizer.mask_token_id,
                    special_token_ids=tokenizer.special_token_ids,
                    mask_rate=options.mask_rate,
                    mask_token_rate=options.mask_token_rate,
                    random_token_rate=options.random_token_rate,
                    units=options.mask_units,
                    starts_word=starts_word,
                    seed=batch["row_seeds"],
                )
            )
        return features, targets, weights

    return element
