"""Fine-tunes a text classifier with KerasHub's own RobertaTextClassifier, XLA on.

    python benchmarks/peers/finetune_keras_hub.py \\
        --preset granite-30m --train train.tsv --dev dev.tsv

The recipe of finetune_transformers.py, on strings padded to 128 tokens, which is how KerasHub
pads. Prints one JSON line. KerasHub fixes the layer norm's epsilon at 1e-5.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pathlib
import shutil
import tempfile
import time

import keras
import keras_hub
import numpy as np
import tensorflow as tf
from recipe import (
    BETA_2,
    CLIP_NORM,
    EPSILON,
    MAX_LENGTH,
    WARM_UP,
    WEIGHT_DECAY,
    parse_options,
    print_result,
    read_sentences,
    read_training,
)
from safetensors.numpy import load_file, save_file


def main():
    options = parse_options(__doc__)
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    keras.utils.set_random_seed(options.seed)
    with tempfile.TemporaryDirectory() as directory:
        preset = prefixed_copy(pathlib.Path(options.preset), pathlib.Path(directory))
        preprocessor = keras_hub.models.RobertaTextClassifierPreprocessor.from_preset(
            str(preset), sequence_length=MAX_LENGTH
        )
        model = keras_hub.models.RobertaTextClassifier.from_preset(
            str(preset), num_classes=2, preprocessor=preprocessor
        )
    texts, labels = read_training(options)
    compile_model(model, options, num_steps=-(-len(texts) // options.batch_size))
    start = time.perf_counter()
    model.fit(
        np.array(texts), np.array(labels), batch_size=options.batch_size, shuffle=False, verbose=2
    )
    seconds = time.perf_counter() - start
    tokens = sum(
        int(np.sum(preprocessor(texts[i : i + 1000])["padding_mask"]))
        for i in range(0, len(texts), 1000)
    )
    texts, labels = read_sentences(options.dev)
    logits = model.predict(np.array(texts), batch_size=options.batch_size, verbose=0)
    accuracy = float(np.mean(np.argmax(logits, -1) == np.array(labels)))
    print_result("keras_hub", options, accuracy, seconds, tokens)


def prefixed_copy(preset, directory):
    """KerasHub looks for the encoder's tensors with `roberta.` in front only."""
    for path in preset.iterdir():
        if path.suffix in (".json", ".txt"):
            shutil.copy(path, directory)
    tensors = load_file(preset / "model.safetensors")
    save_file(
        {
            name
            if name.startswith(("roberta.", "classifier.", "lm_head."))
            else f"roberta.{name}": np.ascontiguousarray(tensor)
            for name, tensor in tensors.items()
        },
        directory / "model.safetensors",
        metadata={"format": "pt"},
    )
    return directory


def compile_model(model, options, num_steps):
    optimizer = keras.optimizers.AdamW(
        WarmUpAndDecay(options.learning_rate, round(WARM_UP * num_steps), num_steps),
        weight_decay=WEIGHT_DECAY,
        beta_2=BETA_2,
        epsilon=EPSILON,
        global_clipnorm=CLIP_NORM,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=True,
    )


class WarmUpAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """From 0 up to `peak` in `warm_up` steps, and down to 0 at `num_steps`."""

    def __init__(self, peak, warm_up, num_steps):
        self.peak, self.warm_up, self.num_steps = peak, warm_up, num_steps

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        up = step / max(self.warm_up, 1)
        down = (self.num_steps - step) / max(self.num_steps - self.warm_up, 1)
        return self.peak * keras.ops.maximum(keras.ops.minimum(up, down), 0.0)


if __name__ == "__main__":
    main()
