"""Fine-tunes a text classifier with this library; the recipe of finetune_transformers.py.

    python benchmarks/peers/finetune_ours.py \\
        --preset granite-30m --train train.tsv --dev dev.tsv

Prints one JSON line.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import time

import keras_roberta as kr  # before TensorFlow: it turns oneDNN's products on

# isort: split
import keras
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

from keras_roberta.training import keep_freed_memory
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer


def main():
    options = parse_options(__doc__)
    keep_freed_memory()  # as `keras-roberta finetune` does
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    keras.utils.set_random_seed(options.seed)
    task = kr.RobertaTextClassifier.from_preset(
        options.preset, num_classes=2, sequence_length=MAX_LENGTH
    )
    task.compile(
        optimizer=finetuning_optimizer(
            options.learning_rate,
            warmup=WARM_UP,
            weight_decay=WEIGHT_DECAY,
            beta_2=BETA_2,
            epsilon=EPSILON,
            clip_norm=CLIP_NORM,
        )
    )
    texts, labels = read_training(options)
    start = time.perf_counter()
    task.fit(texts, np.array(labels), batch_size=options.batch_size, verbose=2)
    seconds = time.perf_counter() - start
    _, row_lengths = task.preprocessor.tokenize(texts)
    texts, labels = read_sentences(options.dev)
    logits = task.predict(texts, batch_size=options.batch_size, verbose=0)
    accuracy = float(np.mean(np.argmax(logits, -1) == np.array(labels)))
    print_result("keras_roberta", options, accuracy, seconds, int(np.sum(row_lengths)))


if __name__ == "__main__":
    main()
