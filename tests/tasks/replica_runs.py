"""Trains every task of the contract on one device and on two, and prints the losses as JSON.

A process of its own, since devices can be split only before TensorFlow starts.
"""

import json
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import keras_roberta  # noqa: F401  Before TensorFlow.

# isort: split
import keras
import tensorflow as tf
from task_cases import CASES, CONFIG, TEXTS

from keras_roberta.tokenizers.training import train_byte_level_bpe
from keras_roberta.training.optimizer import finetuning_optimizer


def losses(case, strategy, tokenizer):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        config = CONFIG.replace(dropout=0.0, attention_dropout=0.0)
        task = case.make(tokenizer, config)
        task.compile(finetuning_optimizer(1e-3))
    x = case.rows
    if case.y is None and not isinstance(x, tf.data.Dataset):
        # Masks are drawn: make them once. One a row, since each replica takes the mean of its own.
        features, targets, weights = task.preprocessor.mask(task.preprocessor(x))
        features["mask_positions"] = features["mask_positions"][:, :1]
        x = tf.data.Dataset.from_tensors((features, targets[:, :1], weights[:, :1]))
    history = task.fit(x, case.y, batch_size=10 if case.y else None, epochs=3, verbose=0)
    return history.history["loss"]


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, parts)
    tokenizer = train_byte_level_bpe(TEXTS * 4, vocabulary_size=300)
    one = tf.distribute.get_strategy()
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    found = {c.class_name: [losses(c, s, tokenizer) for s in (one, two)] for c in CASES}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
