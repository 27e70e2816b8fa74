"""Steps of masked language modelling in Keras's `fit`: this library's model, or KerasHub's.

Asked by `benchmarks/pretrain_throughput.py`; see rounds.py.
"""

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import rounds
import step_options as step
import tensorflow as tf


def ours(options):
    import keras_roberta as kr
    from keras_roberta.training import keep_freed_memory
    from keras_roberta.training.optimizer.pretraining import pretraining_optimizer

    keep_freed_memory()  # as `keras-roberta pretrain` does
    config = kr.RobertaConfig(
        vocabulary_size=step.VOCABULARY_SIZE,
        max_sequence_length=step.LENGTH,
        dropout=step.DROPOUT,
        attention_dropout=step.DROPOUT,
        **step.SHAPE,
    )
    model = kr.RobertaPretrainer(kr.RobertaBackbone(config), ("mlm",))
    model.compile(pretraining_optimizer(**step.OPTIMIZER), jit_compile=options.jit)
    return model, lambda ids: {"mlm": ids}


def keras_hub(options):
    import keras_hub

    backbone = keras_hub.models.RobertaBackbone(
        vocabulary_size=step.VOCABULARY_SIZE,
        max_sequence_length=step.LENGTH,
        dropout=step.DROPOUT,
        **step.SHAPE,
    )
    model = keras_hub.models.RobertaMaskedLM(backbone, preprocessor=None)
    optimizer = keras.optimizers.AdamW(**step.OPTIMIZER)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy()],
        jit_compile=options.jit,
    )
    return model, lambda ids: ids


class StepTimes(keras.callbacks.Callback):
    """Seconds from the end of one step to the end of the next: the data's share is in it."""

    def on_train_begin(self, logs=None):
        self._ends = []

    def on_train_batch_end(self, batch, logs=None):
        self._ends.append(time.perf_counter())

    @property
    def seconds(self):
        return np.diff(self._ends).tolist()


def main(make_model):
    options = step.parse_options(__doc__)
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(
        "mixed_bfloat16" if options.dtype == "bfloat16" else options.dtype
    )
    model, wrap = make_model(options)

    def batch(token_ids, positions, masked_ids):
        features = {
            "token_ids": token_ids,
            "padding_mask": np.ones_like(token_ids),
            "mask_positions": positions,
        }
        return features, wrap(masked_ids), wrap(np.ones(masked_ids.shape, "float32"))

    batches = [batch(*arrays) for arrays in step.make_batches()]
    data = tf.data.Dataset.from_tensor_slices(
        tf.nest.map_structure(lambda *arrays: np.stack(arrays), *batches)
    ).repeat()
    times = StepTimes()

    def run(steps):
        # A first one on top: between its end and the next there is nothing but a step.
        model.fit(data.take(steps + 1), verbose=0, shuffle=False, callbacks=[times])
        return times.seconds

    run(2)
    rounds.serve(run, {"parameters": model.count_params()})
    if options.parts:
        from step_parts import median_seconds, part_seconds

        rows = iter(data)
        parts = part_seconds(model, batches[0]) | {"data": median_seconds(lambda: next(rows), 20)}
        rounds.say({"parts": parts})


if __name__ == "__main__":
    contestant = sys.argv.pop(1)
    main({"ours": ours, "keras_hub": keras_hub}[contestant])
