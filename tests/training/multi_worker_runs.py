"""Trains tiny models as one of the workers that TF_CONFIG names, or alone; prints JSON.

    python multi_worker_runs.py

A process for each worker, since a process can be one worker only.
"""

import json
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.append(str(pathlib.Path(__file__).parent))  # for doctest, which imports this file

import keras
import numpy as np
import strategy_runs
import tensorflow as tf
from strategy_runs import classify, pretrain

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.tokenizers.training import train_byte_level_bpe
from keras_roberta.training.workers.cluster import find_cluster
from keras_roberta.training.workers.exchange import Exchange
from keras_roberta.training.workers.multi_worker import keras_averages_logs
from keras_roberta.training.workers.strategies import make_strategy

TEXTS = [f"film number {i} is {'good ' * (i % 7)}" for i in range(40)]
EPOCHS, BATCH_SIZE = 2, 8


class Watched(kr.RobertaTextRegressor):
    """Notes the labels of the rows that it trains on."""

    def train_step(self, data):
        tf.numpy_function(lambda y: self.seen.append(y.astype(int).ravel().tolist()), [data[1]], [])
        return super().train_step(data)


def strings(strategy, index, form, shuffle=True):
    """A regression whose labels are the numbers of the texts."""
    keras.utils.set_random_seed(3 if shuffle else 3 + index)  # the chief's order holds
    tokenizer = train_byte_level_bpe(TEXTS, 300)
    with strategy.scope():
        config = strategy_runs.backbone("float32").config.replace(max_sequence_length=32)
        preprocessor = kr.RobertaPreprocessor(tokenizer, 32)
        task = Watched(kr.RobertaBackbone(config), preprocessor=preprocessor)
        task.compile(keras.optimizers.SGD(1e-4))
    task.seen = []
    numbers = np.arange(len(TEXTS), dtype="float32")
    if form == "list":
        data = dict(x=TEXTS, y=numbers)
    elif form == "arrays":
        data = dict(x=preprocessor(TEXTS), y=numbers)
    else:
        data = dict(x=tf.data.Dataset.from_tensor_slices((TEXTS, numbers)).batch(BATCH_SIZE))
    held_out = TEXTS[:11], numbers[:11]  # a last batch of 3
    history = task.fit(
        **data,
        batch_size=None if form == "dataset" else BATCH_SIZE,
        epochs=EPOCHS,
        shuffle=shuffle,
        validation_data=held_out,
        verbose=0,
    ).history
    return {
        "seen": task.seen,
        "history": history,
        "evaluated": task.evaluate(*held_out, batch_size=4, verbose=0),
        "predicted": task.predict(TEXTS[: 3 + index], verbose=0).ravel().tolist(),
    }


def dropout(strategy, jit_compile, rate):
    """The gradients of the replicas here for one and the same row."""
    with strategy.scope():
        config = strategy_runs.backbone("float32").config
        config = config.replace(dropout=rate, attention_dropout=rate)
        task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), num_classes=2)
        task.compile(keras.optimizers.SGD(0.0), jit_compile=jit_compile)
        task.optimizer.build(task.trainable_variables)
    ids = np.full((1, strategy_runs.LENGTH), 7, "int32")
    batch = {"token_ids": ids, "padding_mask": np.ones_like(ids)}, np.ones(1, "int32")
    batch = tf.nest.map_structure(tf.constant, batch)

    def gradient():
        return task.gradients(batch)[-2]

    step = tf.function(lambda: strategy.run(gradient), autograph=False)
    found = strategy.experimental_local_results(step())
    return [np.ravel(g)[:8].tolist() for g in found]


def mistakes(strategy):
    """The messages of errors of the user's."""

    def message(function):
        try:
            function()
        except InputError as error:
            return str(error)
        raise AssertionError("no error")

    outside = strategy_runs.backbone("float32")
    with strategy.scope():
        task = kr.RobertaTextClassifier(outside, num_classes=2)
        task.compile()
        whole = kr.RobertaTextClassifier(strategy_runs.backbone("float32"), num_classes=2)
        whole.compile()
    features, _ = strategy_runs.make_features()
    labels = np.zeros(len(features["token_ids"]), "int32")
    odd = tf.data.Dataset.from_tensor_slices((features, labels)).batch(5, drop_remainder=True)
    return {
        "scope": message(lambda: task.fit(features, labels)),
        "divides": message(lambda: whole.fit(odd)),
        "arrays divide": message(lambda: whole.fit(features, labels, batch_size=7)),
        "generator": message(lambda: whole.fit(iter([]))),
        "class_weight": message(lambda: whole.fit(features, labels, class_weight={0: 1.0})),
    }


def main():
    cluster = find_cluster()
    strategy = make_strategy("multiworker") if cluster else tf.distribute.get_strategy()
    index = cluster.index if cluster else 0
    results = {
        "Keras averages logs": keras_averages_logs(strategy),
        "classifier": classify(strategy, False),
        "pretraining": pretrain(strategy, False, parts=2 if cluster else 1),
        "list": strings(strategy, index, "list"),
    }
    if cluster:
        exchange = Exchange(strategy)
        results |= {
            "no dropout": dropout(strategy, False, 0.0),
            "dropout": dropout(strategy, False, 0.5),
            "exchange": exchange([index + 0.1, -1e300]).tolist(),
            "of chief": exchange.of_chief(np.array([True, False]) ^ bool(index)).tolist(),
            "bytes of chief": exchange.bytes_of_chief(b"chief" if not index else b"no").decode(),
            "mistakes": mistakes(strategy),
            "classifier, XLA": classify(strategy, True),
            "classifier, XLA, bfloat16": classify(strategy, True, "mixed_bfloat16"),
            "arrays": strings(strategy, index, "arrays"),
            "dataset": strings(strategy, index, "dataset"),
        }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
