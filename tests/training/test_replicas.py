"""What replicas do to a step: told by hand what the others say, so that no second device is needed.

That whole runs on two devices agree with those on one is in test_strategies.py.
"""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.training.step.batch import Batch
from keras_roberta.training.step.loss import counted, model_loss
from keras_roberta.training.step.replicas import fail_together, replica_seeds


@pytest.fixture
def among(monkeypatch):
    """A function that makes this a replica among others, to whose sums they add a number."""

    def pretend(count, number=0, others=0.0):
        strategy = types.SimpleNamespace(num_replicas_in_sync=count)
        replica = types.SimpleNamespace(
            replica_id_in_sync_group=number, all_reduce=lambda operation, value: value + others
        )
        monkeypatch.setattr(tf.distribute, "get_strategy", lambda: strategy)
        monkeypatch.setattr(tf.distribute, "get_replica_context", lambda: replica)

    return pretend


def test_each_replica_has_seeds_of_its_own_within_a_step(among):
    generators = [keras.random.SeedGenerator(seed) for seed in (3, 4)]
    count = keras.Variable(5, dtype="int32", trainable=False, name="count")
    states = [generator.state for generator in generators]
    model = types.SimpleNamespace(non_trainable_variables=[*states, count])
    seen = []

    def gradient_fn(model, batch):
        seen.append(tuple(int(state[0]) for state in states))
        assert int(count) == 5
        generators[0].next()  # a draw, which has to stay counted
        return ["gradient"]

    for replica in range(4):
        among(4, replica)
        before = [np.array(state) for state in states]
        assert replica_seeds(gradient_fn)(model, None) == ["gradient"]
        np.testing.assert_array_equal(states[0], before[0] + [0, 1])
        np.testing.assert_array_equal(states[1], before[1])
    assert seen[0] == (3, 4)  # the first's are those of one device
    assert len({seed for pair in seen for seed in pair}) == 8
    among(1)
    replica_seeds(gradient_fn)(model, None)
    assert seen[-1] == (3, 4)


@pytest.mark.parametrize("own", [1.0, np.inf, np.nan])
@pytest.mark.parametrize("others", [0.0, 1.0])  # how many of them failed
@pytest.mark.parametrize("scales", [True, False])
@pytest.mark.parametrize("replicas", [1, 2])
def test_where_one_replica_overflows_all_fail(among, own, others, scales, replicas):
    def gradient_fn(model, batch):
        return [tf.constant([2.0]), None, tf.IndexedSlices(tf.constant([[own]]), tf.constant([3]))]

    optimizer = keras.optimizers.SGD(1.0)
    if scales:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    among(replicas, others=others)
    model = types.SimpleNamespace(optimizer=optimizer)
    first, none, rows = fail_together(gradient_fn)(model, None)
    fails = scales and replicas > 1 and (others > 0 or own != 1.0)
    np.testing.assert_array_equal(first, [np.nan if fails else 2.0])
    np.testing.assert_array_equal(rows.values, [[np.nan if fails else own]])
    assert none is None and rows.indices.numpy().tolist() == [3]


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_the_loss_of_a_replica_is_its_share_and_what_is_logged_is_the_mean(among, replicas):
    """Of errors 1, 2 and 3 the mean square is 14 / 3."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile("sgd", loss="mse")
    model.layers[0].kernel.assign([[1.0]])
    batch = Batch(tf.constant([[1.0], [2.0], [3.0]]), tf.zeros((3, 1)))
    among(replicas)
    result = counted(model_loss)(model, batch)
    assert float(result.loss) == pytest.approx(14 / 3 / replicas)
    assert float(model.metrics[0].result()) == pytest.approx(14 / 3)


def test_an_objective_is_the_mean_over_the_tokens_of_all_replicas(config, among):
    """The other replica has three masked tokens, this one has two: each counts a fifth."""
    config = config.replace(num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8)
    model = kr.RobertaPretrainer(kr.RobertaBackbone(config), ("mlm", "sop"))
    model.compile("sgd", run_eagerly=True)
    ids = np.array([[0, 5, 6, 7], [0, 8, 9, 7]], "int32")
    features = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    features["mask_positions"] = np.array([[1, 2], [3, 0]], "int32")
    targets = {"mlm": np.array([[5, 9], [6, 0]], "int32"), "sop": np.array([0, 1], "int32")}
    weights = {"mlm": np.array([[1, 0], [1, 0]], "float32"), "sop": np.ones(2, "float32")}
    batch = [tf.nest.map_structure(tf.constant, part) for part in (features, targets, weights)]
    sums = {}
    for name, logits in model(features).items():
        losses = keras.losses.sparse_categorical_crossentropy(
            targets[name], logits, from_logits=True
        )
        sums[name] = float(np.sum(losses * weights[name]))
    for others, count in ((0.0, 2), (3.0, 5)):
        among(1, others=others)
        model.reset_metrics()
        found = model.test_step(batch)
        for name in ("mlm", "sop"):
            assert float(found[f"{name}_loss"]) == pytest.approx(sums[name] / count, rel=1e-5)
