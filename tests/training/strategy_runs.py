"""Trains tiny models under several strategies and prints what came out, as JSON.

A process of its own, since devices can be split only before TensorFlow starts.
"""

import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer

# A vocabulary just large enough for the optimizer to go by rows.
STEPS, BATCH_SIZE, LENGTH, PREDICTIONS, VOCABULARY_SIZE = 20, 8, 12, 3, 4096


def backbone(dtype, **changes):
    config = kr.RobertaConfig(
        vocabulary_size=VOCABULARY_SIZE,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=LENGTH,
        dropout=0.0,
        attention_dropout=0.0,
        seed=1,
    )
    return kr.RobertaBackbone(config.replace(**changes), dtype=dtype)


def classify(strategy, jit_compile, dtype="float32", compiling=None, optimizer=None, **changes):
    """The rate is halved on the way.

    `compiling` are arguments of `compile`, or a function of the task that gives them.
    """
    keras.utils.set_random_seed(1)
    with strategy.scope():
        task = kr.RobertaTextClassifier(backbone(dtype, **changes), num_classes=2)
        task.compile(
            finetuning_optimizer(1e-2, **(optimizer or {})),
            jit_compile=jit_compile,
            **(compiling(task) if callable(compiling) else compiling or {}),
        )
    features, random = make_features()
    labels = random.integers(0, 2, STEPS * BATCH_SIZE).astype("int32")
    return train(task, features, labels, halves_the_rate=True)


def classify_by_adam(strategy):
    """Tokens stand several times in a batch, and in the parts of both replicas."""
    keras.utils.set_random_seed(1)
    with strategy.scope():
        task = kr.RobertaTextClassifier(backbone("float32"), num_classes=2)
        task.compile(keras.optimizers.Adam(1e-2, epsilon=1e-3), jit_compile=False)
    features, random = make_features()
    features["token_ids"] %= 7
    return train(task, features, random.integers(0, 2, STEPS * BATCH_SIZE).astype("int32"))


def pretrain(strategy, jit_compile, parts):
    """Rows have one to three masked positions, so that the replicas' parts weigh unequally."""
    with strategy.scope():
        task = kr.RobertaPretrainer(backbone("float32"), ("mlm", "sop"))
        # A large epsilon: a gradient that is 0 but for rounding would move a weight by the rate.
        optimizer = finetuning_optimizer(1e-2, epsilon=1e-2)
        task.compile(optimizer, jit_compile=jit_compile, gradient_accumulation_steps=parts)
    features, random = make_features()
    rows = STEPS * BATCH_SIZE
    features["mask_positions"] = np.tile(np.arange(1, 1 + PREDICTIONS, dtype="int32"), (rows, 1))
    masked = np.arange(PREDICTIONS) <= random.integers(0, PREDICTIONS, (rows, 1))
    targets = {
        "mlm": random.integers(5, 50, (rows, PREDICTIONS)).astype("int32"),
        "sop": random.integers(0, 2, rows).astype("int32"),
    }
    weights = {"mlm": masked.astype("float32"), "sop": np.ones(rows, "float32")}
    return train(task, features, targets, weights)


def overflow(strategy):
    """The scale of float16's loss after a step that overflows on the last replica alone, in units
    of the scale before."""
    with strategy.scope():
        task = kr.RobertaTextClassifier(backbone("mixed_float16"), num_classes=2)
        task.compile(finetuning_optimizer(1e-2), jit_compile=False)
    features, _ = make_features()
    features = {name: values[:BATCH_SIZE] for name, values in features.items()}
    weights = np.where(np.arange(BATCH_SIZE) < BATCH_SIZE // 2, 1.0, 1e30).astype("float32")
    data = features, np.zeros(BATCH_SIZE, "int32"), weights
    task.fit(tf.data.Dataset.from_tensor_slices(data).batch(BATCH_SIZE), verbose=0)
    return float(np.asarray(task.optimizer.dynamic_scale)) / task.optimizer.initial_scale


def clip_values(gradient_fn):
    """A gradient transform that depends on the true size of the gradients."""
    return lambda model, batch: [
        None if g is None else tf.clip_by_value(tf.convert_to_tensor(g), -0.01, 0.01)
        for g in gradient_fn(model, batch)
    ]


class Taught:
    """A loss transform that draws the logits to those of a teacher, which has variables."""

    def __init__(self, teacher):
        self.teacher, self.variables = teacher, teacher.variables

    def __call__(self, loss_fn):
        def with_teacher(model, batch):
            result = loss_fn(model, batch)
            wanted = self.teacher(batch.x, training=False)
            distance = tf.reduce_mean(tf.square(result.outputs - wanted))
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            return result._replace(loss=result.loss + distance / replicas)

        return with_teacher


def regularized(task):
    return dict(loss_transforms=[kr.ConfidencePenalty(0.2), kr.Mixout(task, 0.5)])


def taught(strategy, jit_compile):
    keras.utils.set_random_seed(2)
    with strategy.scope():
        teacher = kr.RobertaTextClassifier(backbone("float32", seed=7), num_classes=2)
    compiling = dict(loss_transforms=[Taught(teacher)])
    return classify(strategy, jit_compile, compiling=compiling)


def make_features():
    random = np.random.default_rng(0)
    shape = STEPS * BATCH_SIZE, LENGTH
    token_ids = random.integers(5, VOCABULARY_SIZE, shape).astype("int32")
    return {"token_ids": token_ids, "padding_mask": np.ones(shape, "int32")}, random


def train(task, *data, halves_the_rate=False):
    """The loss along an epoch, and some of the weights at its end."""
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(BATCH_SIZE, drop_remainder=True)
    losses = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda _, logs: losses.append(float(logs["loss"]))
    )

    def halve(batch, logs):
        if batch == STEPS // 2 and halves_the_rate:
            task.optimizer.learning_rate = float(np.asarray(task.optimizer.learning_rate)) / 2

    callbacks = [record, keras.callbacks.LambdaCallback(on_train_batch_end=halve)]
    task.fit(dataset, callbacks=callbacks, verbose=0)
    weights = np.concatenate([np.ravel(np.asarray(v, "float32")) for v in task.trainable_variables])
    optimizer = getattr(task.optimizer, "inner_optimizer", task.optimizer)
    return {
        "loss": losses,
        "weights": weights[:: len(weights) // 500].tolist(),
        "steps": int(np.asarray(optimizer.iterations)),
    }


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    one = tf.distribute.get_strategy()
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    dropout = dict(dropout=0.2, attention_dropout=0.2)
    averaged = dict(
        optimizer=dict(
            use_ema=True,
            ema_momentum=0.5,
            ema_overwrite_frequency=4,
            learning_rate_multipliers={"token_embedding": 0.5, "head": 2.0},
        )
    )
    composed = dict(compiling=dict(gradient_transforms=[clip_values]))
    results = {
        "one, averaged": classify(one, False, **averaged),
        "two, averaged": classify(two, False, **averaged),
        "two, composed": classify(two, False, **composed),
        "one, regularized": classify(one, False, compiling=regularized),
        "two, XLA, regularized": classify(two, True, compiling=regularized),
        "one, taught": taught(one, False),
        "two, XLA, taught": taught(two, True),
        "two, XLA, float16, composed": classify(two, True, "mixed_float16", **composed),
        "one, Adam": classify_by_adam(one),
        "two, Adam": classify_by_adam(two),
        "one": classify(one, False),
        "two, XLA, bfloat16": classify(two, True, "mixed_bfloat16"),
        "two, dropout": classify(two, False, **dropout),
        "two, dropout, remat": classify(two, False, **dropout, remat=True),
        "two, attention compiled": classify(two, False, attention="compiled"),
        "two, overflow": overflow(two),
        "pretraining": pretrain(one, False, parts=1),
        "pretraining, two, XLA, accumulated": pretrain(two, True, parts=2),
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
