"""Batches for pre-training from shards of token ids.

Batch i depends only on (shards, options, split, seed, i). So a run that is resumed at step i sees
the same batches as a run without a stop, and several workers together see the same batches as one.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from keras_roberta.data import masking
from keras_roberta.data.autotuning import without_autotuning
from keras_roberta.data.corpus.shards import Shards
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
    shards: Shards,
    options: BatchOptions,
    split: str = "train",
    seed: int = 0,
    start_step: int = 0,
    num_workers: int = 1,
    worker_index: int = 0,
) -> tf.data.Dataset:
    """An endless dataset of batches for pre-training.

    Its elements are (features, targets, sample_weights), each a dict.

    Args:
        shards: the shards to read.
        options: sequence length, packing, objectives, masking and so on.
        split: "train" or "heldout".
        seed: seed of the order and of the masking.
        start_step: number of the first batch. Earlier batches are not read.
        num_workers: number of workers that share each batch.
        worker_index: number of this worker. It gets the `batch_size / num_workers` rows of each
            batch from row `worker_index * batch_size / num_workers` on.

    Returns:
        a dataset of:

        features: `token_ids` and `padding_mask`, int32 (rows, length). With block-diagonal
            packing also `segment_ids`, int32 (rows, length): the number of each block, from 1,
            and 0 at padding. With mlm also `mask_positions`, int32 (rows, predictions).
        targets: int32, for each objective:
            mlm (rows, predictions): the true ids.
            sop (rows,): 0 if the segments are in order, 1 if they are swapped.
            nsp (rows,): 0 if the second segment follows, 1 if it is from another document.
            choice (rows / num_choices,): which of `num_choices` successive rows is the true one.
            tokens (rows, length): the class of each token; see `Shards.token_labels`.
        sample_weights: float32, for each objective, of the shape of its targets. They are 0 where
            there is nothing to learn.

    Raises:
        InputError: the shards do not have what the options need. TensorFlow wraps errors that are
            raised while the dataset is read; see `input_errors`.
    """
    if not 0 <= worker_index < num_workers:
        raise InputError(f"worker_index {worker_index} is outside 0..{num_workers - 1}")
    if start_step < 0:
        raise InputError(f"start_step must not be negative; got {start_step}")
    samples = Samples(shards, options, split, seed)
    steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
    return _batches(steps, samples, shards, options, num_workers, worker_index)


def evaluation_batches(
    shards: Shards,
    options: BatchOptions,
    seed: int = 0,
    max_batches: int | None = None,
    language: str | None = None,
    split: str = "heldout",
) -> tf.data.Dataset:
    """A dataset of batches for evaluation: each row once, and always with the same masking.

    The elements are those of `pretraining_batches`. The rows are spread evenly over the batches, so
    that the mean over batches is about the mean over rows. Batches are filled up with rows of
    weight 0.

    Args:
        shards: the shards to read.
        options: sequence length, packing, objectives, masking and so on.
        seed: seed of the order and of the masking.
        max_batches: largest number of batches, or None for all.
        language: name of a language, to use only its rows; None for all languages.
        split: "train" or "heldout".

    Raises:
        InputError: the shards do not have what the options need.
    """
    languages = None if language is None else [language]
    samples = Samples(shards, options, split, seed, once=True, languages=languages)
    num_batches = min(samples.num_batches, max_batches or samples.num_batches)
    return _batches(tf.data.Dataset.range(num_batches), samples, shards, options, 1, 0)


def batch_statistics(shards: Shards, options: BatchOptions, split: str = "train") -> dict[str, Any]:
    """Statistics of the batches, to be printed.

    Returns:
        rows: {language: number of rows}
        shares: {language: share of the samples}
        padding: the share of padding among all tokens.
    """
    samples = Samples(shards, options, split, seed=0)
    return {"rows": samples.num_rows, "shares": samples.shares, "padding": samples.padding}


@contextlib.contextmanager
def input_errors() -> Iterator[None]:
    """A context that raises the original InputError if TensorFlow has wrapped it.

    TensorFlow wraps errors that are raised while a dataset is read.
    """
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
    example = samples.batch(0, 0)  # without rows, only for the names and types
    names = list(example)

    def read(step):
        batch = samples.batch(int(step) * size + worker_index * here, here)
        return [batch[name] for name in names]

    @tf.autograph.experimental.do_not_convert  # no control flow on tensors
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
    """A function that turns the arrays of `Samples.batch` into (features, targets, weights)."""
    tokenizer = shards.tokenizer
    starts_word = None if options.mask_units == "token" else tokenizer.starts_word()
    of_tokenizer = masking.arguments_of(tokenizer)
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
                    mask_rate=options.mask_rate,
                    mask_token_rate=options.mask_token_rate,
                    random_token_rate=options.random_token_rate,
                    units=options.mask_units,
                    starts_word=starts_word,
                    seed=batch["row_seeds"],
                    **of_tokenizer,
                )
            )
        return features, targets, weights

    return element
