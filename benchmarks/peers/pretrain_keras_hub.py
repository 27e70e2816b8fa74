"""Pre-trains by masked language modelling with KerasHub's own RobertaMaskedLM, XLA on.

    python benchmarks/peers/pretrain_keras_hub.py --shards DIR --tokens 2000000

The recipe of pretrain_ours.py. Strings go in, as KerasHub wants them: the rows that our packing
makes, decoded, so that its batches are as full as ours. Its preprocessor tokenises and masks.
Prints one JSON line.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import keras_hub
import pretraining as recipe
import tensorflow as tf

from keras_roberta.data.pretraining.batches import BatchOptions, pretraining_batches


def main():
    options, shards = recipe.start(recipe.make_parser(__doc__))
    tokenizer = keras_hub.models.RobertaTokenizer(
        vocabulary=shards.tokenizer.vocabulary,
        merges=[" ".join(pair) for pair in shards.tokenizer.merges],
    )
    evaluation = recipe.heldout(options, shards)
    batches = recipe.make_batch_options(options, mask_rate=options.mask_rate)
    features, _, _ = next(iter(pretraining_batches(shards, batches)))
    preprocessor = keras_hub.models.RobertaMaskedLMPreprocessor(
        tokenizer,
        sequence_length=options.length,
        mask_selection_rate=options.mask_rate,
        mask_selection_length=features["mask_positions"].shape[1],
    )
    backbone = keras_hub.models.RobertaBackbone(
        vocabulary_size=shards.tokenizer.vocabulary_size,
        max_sequence_length=options.length,
        dropout=options.dropout,
        **recipe.shape(options),
    )
    model = keras_hub.models.RobertaMaskedLM(backbone, preprocessor=None)
    schedule = recipe.make_schedule(options)
    optimizer = keras.optimizers.AdamW(schedule, **recipe.OPTIMIZER)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        jit_compile=True,
    )
    data = texts(shards, options).map(preprocessor, num_parallel_calls=tf.data.AUTOTUNE)
    curve = recipe.Curve(options, schedule, evaluation)
    model.fit(data.prefetch(4), verbose=0, callbacks=[curve])
    recipe.print_result("keras_hub", options, curve)


def texts(shards, options):
    """Endless batches of strings. They are decoded before the clock starts."""
    plain = BatchOptions(
        ("mlm",),
        batch_size=256,
        sequence_length=options.length,
        mask_rate=1e-9,
    )
    total = sum(counts["tokens"] for counts in shards.counts["train"].values())
    rows = []
    for features, _, _ in pretraining_batches(shards, plain, seed=options.seed).take(
        -(-total // (256 * options.length))
    ):
        rows += shards.tokenizer.decode_batch(features["token_ids"].numpy())
    data = tf.data.Dataset.from_tensor_slices(rows).repeat()
    return data.batch(options.batch_size, drop_remainder=True)


if __name__ == "__main__":
    main()
