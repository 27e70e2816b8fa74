"""Trains tiny models as one of the workers that TF_CONFIG names, and prints JSON.

    python multi_worker_runs.py

A process for each worker, since a process can be one worker only.
"""

import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

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


def strings(strategy, index, forms):
    """A regression whose labels are the numbers of the texts, on some forms of data."""
    keras.utils.set_random_seed(3)
    tokenizer = train_byte_level_bpe(TEXTS, 300)
    with strategy.scope():
        config = strategy_runs.backbone("float32").config.replace(max_sequence_length=32)
        preprocessor = kr.RobertaPreprocessor(tokenizer, 32)
        task = Watched(kr.RobertaBackbone(config), preprocessor=preprocessor)
        task.compile(keras.optimizers.SGD(1e-4))
    np.random.seed(3 + index)  # the chief's order holds
    numbers = np.arange(len(TEXTS), dtype="float32")
    held_out = TEXTS[:11], numbers[:11]  # a last batch of 3
    data = {
        "list": dict(x=TEXTS, y=numbers, batch_size=BATCH_SIZE, validation_data=held_out),
        "arrays": dict(x=preprocessor(TEXTS), y=numbers, batch_size=BATCH_SIZE),
        "dataset": dict(x=tf.data.Dataset.from_tensor_slices((TEXTS, numbers)).batch(BATCH_SIZE)),
    }
    results = {}
    for form in forms:
        task.seen = []
        history = task.fit(**data[form], epochs=EPOCHS, verbose=0).history
        results[form] = {"seen": task.seen, "history": history}
        if form == "list":
            results[form] |= {
                "evaluated": task.evaluate(*held_out, batch_size=4, verbose=0),
                "predicted": task.predict(TEXTS[: 3 + index], verbose=0).ravel().tolist(),
            }
    return results


def dropout(strategy):
    """The gradients of the replicas here for one and the same row."""
    with strategy.scope():
        backbone = strategy_runs.backbone("float32", dropout=0.5, attention_dropout=0.5)
        task = kr.RobertaTextClassifier(backbone, num_classes=2)
        task.compile(keras.optimizers.SGD(0.0), jit_compile=False)
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


def compute(strategy, index=0, several=False):
    """What each worker does, and one device alone."""
    results = {
        "Keras averages logs": keras_averages_logs(strategy),
        "classifier": classify(strategy, False),
        "pretraining": pretrain(strategy, False, parts=2 if several else 1),
    }
    return results | strings(strategy, index, ("list", "arrays", "dataset")[: 3 if several else 1])


def main():
    """As a worker."""
    index = find_cluster().index
    strategy = make_strategy("multiworker")
    exchange = Exchange(strategy)
    results = compute(strategy, index, several=True) | {
        "dropout": dropout(strategy),
        "exchange": exchange([index + 0.1, -1e300]).tolist(),
        "of chief": exchange.of_chief(np.array([True, False]) ^ bool(index)).tolist(),
        "bytes of chief": exchange.bytes_of_chief(b"chief" if not index else b"no").decode(),
        "mistakes": mistakes(strategy),
        "classifier, XLA": classify(strategy, True),
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
