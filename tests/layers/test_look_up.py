"""Every optimizer trains as by dense gradients, however often a token stands in a batch."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.layers import RobertaEmbeddings
from keras_roberta.training.optimizer import RobertaAdamW

OPTIMIZERS = {
    name: cls
    for name, cls in vars(keras.optimizers).items()
    if inspect.isclass(cls)
    and issubclass(cls, keras.optimizers.Optimizer)
    and name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer")
}
OPTIMIZERS |= {
    "LossScaleOptimizer": lambda rate: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(rate), initial_scale=8.0
    ),
    "MultiOptimizer": lambda rate: keras.optimizers.MultiOptimizer(
        lambda variable: keras.optimizers.Adam(rate)
    ),
    "clipped by the global norm": lambda rate: keras.optimizers.Adam(rate, global_clipnorm=0.1),
    "clipped by norms": lambda rate: keras.optimizers.RMSprop(rate, clipnorm=0.1),
    "clipped by values": lambda rate: keras.optimizers.AdamW(rate, clipvalue=0.01),
    "accumulating": lambda rate: keras.optimizers.Adam(rate, gradient_accumulation_steps=2),
    "ours": RobertaAdamW,
    "ours, slower": lambda rate: RobertaAdamW(rate, clipvalue=0.01),
}
# Tokens and positions stand in it several times.
TOKEN_IDS = np.array([[0, 5, 5, 7, 5], [0, 7, 5, 5, 9]], "int32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int32")
TYPES = np.array([[0, 0, 1, 1, 1]] * 2, "int32")
AIMS = np.random.default_rng(0).normal(size=(2, 5, 32)).astype("float32")
STEPS = 3


def embeddings(config):
    layer = RobertaEmbeddings(config.replace(num_token_types=2, dropout=0.0))
    layer.build((None, None))
    return layer


def by_hand(layer):
    """What the layer computes, by products with one-hot rows: their gradients are dense."""
    tables = layer.token_embedding, layer.position_embedding, layer.token_type_embedding
    positions = np.array([[2, 3, 4, 5, 6], [2, 3, 4, 1, 1]])
    x = sum(
        tf.one_hot(ids, table.input_dim) @ table.embeddings.value
        for ids, table in zip((TOKEN_IDS, positions, TYPES), tables, strict=True)
    )
    return layer.norm(x)


def train(layer, call, optimizer):
    optimizer.build(layer.trainable_variables)
    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            loss = optimizer.scale_loss(tf.reduce_mean((call() - AIMS) ** 2))
        gradients = tape.gradient(loss, layer.trainable_variables)
        optimizer.apply(gradients, layer.trainable_variables)
    return [np.array(v) for v in layer.trainable_variables]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_trains_as_by_dense_gradients(name, config):
    layer, other = embeddings(config), embeddings(config)
    found = train(layer, lambda: layer(TOKEN_IDS, MASK, TYPES), OPTIMIZERS[name](0.01))
    expected = train(other, lambda: by_hand(other), OPTIMIZERS[name](0.01))
    for weight, wanted, variable in zip(found, expected, layer.trainable_variables, strict=True):
        np.testing.assert_allclose(weight, wanted, atol=1e-6, err_msg=variable.path)


def two_texts(backbone):
    """A user's own model, trained by Keras: one encoder on a text and on the same turned round."""
    turned = {name: keras.ops.flip(x, axis=1) for name, x in backbone.input.items()}
    both = backbone(backbone.input)[:, 0] - backbone(turned)[:, 0]
    outputs = keras.layers.Dense(2, kernel_initializer="ones")(both)
    return keras.Model(backbone.input, outputs)


def task(backbone):
    return kr.RobertaTextClassifier(backbone, num_classes=2)


def dense_steps(model, features, labels, optimizer):
    """Training with the slices of each row added up before the optimizer sees them."""
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            loss = loss_fn(labels, model(features, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply([tf.convert_to_tensor(g) for g in gradients], model.trainable_variables)
    return [np.array(v) for v in model.trainable_variables]


@pytest.mark.parametrize("make", [two_texts, task])
def test_models_train_alike_compiled_or_not(make, config):
    config = config.replace(num_layers=1, dropout=0.0, attention_dropout=0.0)
    features = {"token_ids": TOKEN_IDS, "padding_mask": MASK}
    labels = np.array([0, 1])

    def made():
        keras.utils.set_random_seed(1)
        # A large epsilon: a gradient that is 0 but for rounding would move a weight by the rate.
        return make(kr.RobertaBackbone(config)), keras.optimizers.Adam(0.01, epsilon=1e-3)

    expected = dense_steps(made()[0], features, labels, made()[1])
    for jit_compile in (False, True):
        model, optimizer = made()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss, jit_compile=jit_compile)
        model.fit(features, labels, epochs=STEPS, verbose=0)
        for weight, wanted in zip(model.trainable_variables, expected, strict=True):
            np.testing.assert_allclose(weight, wanted, atol=1e-6, err_msg=weight.path)


def test_adapters_on_the_embedding(config):
    layer = embeddings(config)
    layer.token_embedding.enable_lora(2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((layer(TOKEN_IDS, MASK, TYPES) - AIMS) ** 2)
    gradients = tape.gradient(loss, layer.trainable_variables)
    assert not any(isinstance(gradient, tf.IndexedSlices) for gradient in gradients)
    assert any("lora" in variable.path for variable in layer.trainable_variables)
