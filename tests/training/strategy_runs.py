"""Trains a tiny classifier under several strategies and prints what came out, as JSON.

A process of its own, since devices can be split only before TensorFlow starts.
"""

import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.training.optimizer import finetuning_optimizer

STEPS, BATCH_SIZE, LENGTH, VOCABULARY_SIZE = 20, 8, 12, 5000


def train(strategy, jit_compile, dtype="float32", dropout=0.0):
    """Losses, and the weights at the end, of two epochs over the same batches."""
    keras.utils.set_random_seed(0)
    config = kr.RobertaConfig(
        vocabulary_size=VOCABULARY_SIZE,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=LENGTH,
        dropout=dropout,
        attention_dropout=dropout,
        seed=1,
    )
    with strategy.scope():
        task = kr.RobertaTextClassifier(kr.RobertaBackbone(config, dtype=dtype), num_classes=2)
        task.compile(finetuning_optimizer(1e-2), jit_compile=jit_compile)
    history = task.fit(batches(), epochs=2, verbose=0).history
    weights = np.concatenate([np.ravel(np.asarray(v, "float32")) for v in task.trainable_variables])
    optimizer = getattr(task.optimizer, "inner_optimizer", task.optimizer)
    return {
        "loss": history["loss"],
        "accuracy": history["accuracy"],
        "weights": weights[:: max(1, len(weights) // 500)].tolist(),
        "steps": int(np.asarray(optimizer.iterations)),
    }


def batches():
    random = np.random.default_rng(0)
    shape = STEPS // 2 * BATCH_SIZE, LENGTH
    token_ids = random.integers(5, VOCABULARY_SIZE, shape).astype("int32")
    features = {"token_ids": token_ids, "padding_mask": np.ones(shape, "int32")}
    labels = random.integers(0, 2, len(token_ids)).astype("int32")
    return tf.data.Dataset.from_tensor_slices((features, labels)).batch(BATCH_SIZE)


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    one = tf.distribute.get_strategy()
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    results = {
        "one": train(one, False),
        "one, XLA": train(one, True),
        "two": train(two, False),
        "two, XLA": train(two, True),
        "one, XLA, bfloat16": train(one, True, "mixed_bfloat16"),
        "two, XLA, bfloat16": train(two, True, "mixed_bfloat16"),
        "one, XLA, float16": train(one, True, "mixed_float16"),
        "two, XLA, dropout": train(two, True, dropout=0.5),
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
