import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.training.optimizer import RobertaAdamW, finetuning_optimizer
from keras_roberta.training.schedules import LinearWarmupDecay


def reference_adamw(weights, gradients, decayed, rate, beta_1=0.9, beta_2=0.98, eps=1e-6, wd=0.1):
    """AdamW (Loshchilov and Hutter, 2019, algorithm 2) with clipping by the global norm 1."""
    m = [np.zeros_like(w) for w in weights]
    v = [np.zeros_like(w) for w in weights]
    for t, grads in enumerate(gradients, start=1):
        norm = np.sqrt(sum((g**2).sum() for g in grads))
        grads = [g / max(norm, 1.0) for g in grads]
        for i, g in enumerate(grads):
            m[i] = beta_1 * m[i] + (1 - beta_1) * g
            v[i] = beta_2 * v[i] + (1 - beta_2) * g**2
            scale = rate(t - 1) * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
            step = scale * m[i] / (np.sqrt(v[i]) + eps)
            weights[i] = weights[i] * (1 - rate(t - 1) * wd * decayed[i]) - step
    return weights


@pytest.mark.parametrize("inside_a_function", [True, False])
def test_steps_equal_the_formula(inside_a_function):
    random = np.random.default_rng(0)
    start = [random.normal(size=(4, 3)).astype("float32"), random.normal(size=3).astype("float32")]
    variables = [keras.Variable(w, name=n) for w, n in zip(start, ("kernel", "bias"), strict=True)]
    gradients = [[random.normal(size=w.shape).astype("float32") for w in start] for _ in range(5)]
    schedule = LinearWarmupDecay(0.1, total_steps=5, warmup=2)
    optimizer = finetuning_optimizer(schedule)

    def step(grads):
        optimizer.apply(grads, variables)

    step = tf.function(step) if inside_a_function else step
    for grads in gradients:
        step([tf.constant(g) for g in grads])
    expected = reference_adamw(start, gradients, [1, 0], lambda t: float(schedule(t)))
    for variable, weight in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable, weight, atol=1e-5)
    assert int(optimizer.iterations) == 5


def test_sparse_gradients_and_frozen_weights():
    table = keras.Variable(np.ones((5, 2), "float32"), name="embeddings")
    frozen = keras.Variable(np.ones(2, "float32"), name="bias")
    optimizer = finetuning_optimizer(0.1, total_steps=10, warmup=0, weight_decay=0.0)
    rows = tf.IndexedSlices(tf.ones((3, 2)), tf.constant([1, 3, 3]), tf.constant([5, 2]))
    optimizer.apply([rows, None], [table, frozen])
    moved = np.asarray(table)[:, 0] < 1
    np.testing.assert_array_equal(moved, [False, True, False, True, False])
    np.testing.assert_array_equal(frozen, np.ones(2))


def test_optimizer_config_round_trip():
    optimizer = finetuning_optimizer(2e-5, warmup=0.1, weight_decay=0.05)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, RobertaAdamW)
    assert again.get_config() == optimizer.get_config()
    assert again.not_decayed == ("bias", "gamma", "beta")


@pytest.mark.parametrize(
    ("warmup", "step", "expected"),
    [
        (0.1, 0, 0.1),
        (0.1, 9, 1.0),
        (0.1, 54, 0.5),
        (0.1, 99, 0.0),
        (0.1, 500, 0.0),
        (0, 0, 0.99),
        (20, 9, 0.5),
    ],
)
def test_schedule(warmup, step, expected):
    schedule = LinearWarmupDecay(1.0, total_steps=100, warmup=warmup)
    assert float(schedule(step)) == pytest.approx(expected, abs=1e-6)


def test_schedule_errors():
    with pytest.raises(InputError, match="learning rate"):
        LinearWarmupDecay(-1.0)
    with pytest.raises(InputError, match="warmup"):
        LinearWarmupDecay(1.0, warmup=-0.5)
