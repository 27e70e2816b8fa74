"""Gradient checkpointing gives the training that there is without it, dropout included."""

import functools
import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.layers import RobertaEncoder, activations
from keras_roberta.layers.gelu import gelu
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer

MASK = np.array([[1] * 9, [1] * 6 + [0] * 3])


def encoders(config, **kwargs):
    """The same encoder without and with checkpoints, of the same seeds."""
    for remat in (False, True):
        keras.utils.set_random_seed(4)
        encoder = RobertaEncoder(config.replace(dropout=0.3, remat=remat, **kwargs))
        encoder.build((None, None, config.hidden_dim))
        yield encoder


def loss_and_gradients(encoder, jit_compile=False):
    @tf.function(jit_compile=jit_compile)
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(encoder(x, MASK, training=True) ** 3)
        return loss, tape.gradient(loss, [x, *encoder.trainable_variables])

    x = np.random.default_rng(0).normal(size=(2, 9, 32)).astype("float32")
    loss, gradients = run(tf.constant(x))
    return [np.asarray(a) for a in (loss, *gradients)]


@pytest.mark.parametrize("attention", ["plain", "blocks", "compiled"])
@pytest.mark.parametrize("attention_dropout", [0.0, 0.3])
def test_gradients_are_the_same(config, attention, attention_dropout):
    pair = list(encoders(config, attention=attention, attention_dropout=attention_dropout))
    for _ in range(2):  # the seeds move on alike
        plain, remat = (loss_and_gradients(encoder) for encoder in pair)
        for a, b in zip(plain, remat, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * np.abs(a).max())
    states = [[np.asarray(v) for v in encoder.non_trainable_variables] for encoder in pair]
    np.testing.assert_array_equal(*states)


def test_dropout_differs_between_calls(config):
    _, encoder = encoders(config)
    first, second = loss_and_gradients(encoder), loss_and_gradients(encoder)
    assert first[0] != second[0]


def test_values_inside_a_block_are_not_kept(config, monkeypatch):
    made = []

    def watched(x, training):
        y = gelu(x, training)
        made.append(weakref.ref(y))
        return y

    monkeypatch.setattr(activations, "gelu", watched)
    for encoder, kept in zip(encoders(config), (config.num_layers, 0), strict=True):
        made.clear()
        with tf.GradientTape() as tape:
            y = encoder(tf.ones((2, 9, 32)), MASK, training=True)
        gc.collect()
        assert sum(value() is not None for value in made) == kept
        assert tape.gradient(y, encoder.trainable_variables)[0] is not None


@functools.cache  # what several tests compare with
def fitted(
    config,
    remat,
    attention="auto",
    jit_compile=False,
    dtype="float32",
    lora=False,
    shapes_known=True,
):
    """The losses, and how far each weight went."""
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(0)
    token_ids = random.integers(5, config.vocabulary_size, (8, 6)).astype("int32")
    features = {"token_ids": token_ids, "padding_mask": np.ones_like(token_ids)}
    labels = random.integers(0, 2, 8).astype("int32")
    # Two: the last block is computed for the first token alone, and never in blocks of queries.
    config = config.replace(num_layers=2, dropout=0.2, attention_dropout=0.2, remat=remat)
    config = config.replace(attention=attention)
    backbone = kr.RobertaBackbone(config, dtype=dtype)
    if lora:
        backbone.enable_lora(2)
    task = kr.RobertaTextClassifier(backbone, num_classes=2)
    task.compile(finetuning_optimizer(1e-2, epsilon=1e-3), jit_compile=jit_compile)
    before = [np.array(w) for w in task.trainable_variables]
    data = tf.data.Dataset.from_tensor_slices((features, labels)).batch(4, drop_remainder=True)
    data = data.repeat()
    if not shapes_known:
        free = tf.TensorSpec((None, None), tf.int32)
        spec = dict.fromkeys(features, free), tf.TensorSpec((None,), tf.int32)
        data = tf.data.Dataset.from_generator(data.__iter__, output_signature=spec)
    history = task.fit(data, steps_per_epoch=2, epochs=2, verbose=0)
    moves = [np.array(w) - b for w, b in zip(task.trainable_variables, before, strict=True)]
    return history.history["loss"], moves


@pytest.mark.parametrize(
    "options",
    [dict(remat=False), dict(remat=True), dict(remat=False, attention="blocks")],
    ids=["plain", "remat", "blocks"],
)
def test_a_compiled_step_drops_the_same_whether_shapes_are_known(config, options):
    loss, moves = fitted(config, False, jit_compile=True)
    loss_of_unknown, moves_of_unknown = fitted(
        config, jit_compile=True, shapes_known=False, **options
    )
    np.testing.assert_allclose(loss, loss_of_unknown, rtol=1e-4)
    for a, b in zip(moves, moves_of_unknown, strict=True):
        assert np.linalg.norm(a - b) <= 1e-3 * np.linalg.norm(a)


@pytest.mark.parametrize(
    "options",
    [{}, dict(jit_compile=True), dict(lora=True), dict(dtype="mixed_bfloat16")],
    ids=["fit", "compiled", "lora", "bfloat16"],
)
def test_fit_is_the_same(config, options):
    # bfloat16 has eight bits: its error is a share of how far the weights went.
    tolerance = 0.1 if "dtype" in options else 1e-4
    (loss, moves), (loss_of_remat, moves_of_remat) = (
        fitted(config, remat, **options) for remat in (False, True)
    )
    np.testing.assert_allclose(loss, loss_of_remat, rtol=tolerance / 10)
    for a, b in zip(moves, moves_of_remat, strict=True):
        assert np.linalg.norm(a - b) <= tolerance * np.linalg.norm(a)
