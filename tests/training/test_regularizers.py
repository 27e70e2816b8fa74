"""What R-Drop, the confidence penalty, mixout and the fast gradient method make of losses and
gradients that are known: the expected values are written out in numpy."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.layers.output_distributions import Categorical, Normal
from keras_roberta.training.step.batch import Batch, BatchLoss
from keras_roberta.training.step.loss import counts_metrics

FIRST = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 3.0]])
SECOND = np.array([[1.0, 0.5], [0.0, 1.0], [3.0, 1.0]])
WEIGHTS = np.array([1.0, 0.0, 3.0], "float32")


def model_with(reduction="sum_over_batch_size", distribution=None, **more):
    """What the transforms read of a model."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    seed = types.SimpleNamespace(name="seed_generator_state")
    defaults = {"non_trainable_variables": [seed], "metrics_variables": []}
    return types.SimpleNamespace(
        loss=loss, output_distribution=distribution or Categorical(), **{**defaults, **more}
    )


def passes(*losses_and_outputs):
    """A loss function that gives each of them in turn."""
    turns = iter(losses_and_outputs)
    return lambda model, batch: BatchLoss(*map(tf.constant, next(turns)))


def softmax(logits):
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


REDUCTIONS = {
    "sum_over_batch_size": lambda values, weights: (values * weights).mean(),
    "mean_with_sample_weight": lambda values, weights: (values * weights).sum() / weights.sum(),
    "sum": lambda values, weights: (values * weights).sum(),
}


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize("reduction", list(REDUCTIONS))
def test_r_drop(reduction, weights):
    p, q = softmax(FIRST), softmax(SECOND)
    apart = ((p * np.log(p / q)).sum(-1) + (q * np.log(q / p)).sum(-1)) / 2
    term = REDUCTIONS[reduction](apart, np.ones(3) if weights is None else weights)
    loss_fn = kr.RDrop(0.7)(passes((1.0, FIRST), (3.0, SECOND)))
    found = loss_fn(model_with(reduction), Batch(None, None, weights))
    assert float(found.loss) == pytest.approx(2.0 + 0.35 * term, rel=1e-4)
    np.testing.assert_array_equal(found.outputs, FIRST)  # what metrics count


def test_r_drop_of_numbers():
    loss_fn = kr.RDrop(2.0)(passes((1.0, [[1.0], [2.0]]), (3.0, [[2.0], [5.0]])))
    found = loss_fn(model_with(distribution=Normal()), Batch(None))
    assert float(found.loss) == pytest.approx(2.0 + (0.5 + 4.5) / 2)


@pytest.mark.parametrize("reduction", list(REDUCTIONS))
def test_the_confidence_penalty(reduction):
    p = softmax(FIRST)
    entropy = REDUCTIONS[reduction](-(p * np.log(p)).sum(-1), WEIGHTS)
    loss_fn = kr.ConfidencePenalty(0.2)(passes((1.0, FIRST)))
    found = loss_fn(model_with(reduction), Batch(None, None, WEIGHTS))
    assert float(found.loss) == pytest.approx(1.0 - 0.2 * entropy, rel=1e-4)
    np.testing.assert_array_equal(found.outputs, FIRST)


def test_what_does_not_fit_is_refused():
    batch = Batch(None)
    for transform, name in ((kr.RDrop(), "R-Drop"), (kr.ConfidencePenalty(), "confidence")):
        vectors = model_with(distribution=object())
        with pytest.raises(InputError, match=f"{name}.*: the outputs of .* are no probabilities"):
            transform(passes())(vectors, batch)
    with pytest.raises(InputError, match="no probabilities"):
        kr.ConfidencePenalty()(passes())(model_with(distribution=Normal()), batch)
    for reduction in (None, "none"):
        with pytest.raises(InputError, match="its loss has reduction=.*; give it reduction="):
            kr.ConfidencePenalty()(passes((1.0, FIRST)))(model_with(reduction), batch)
    with pytest.raises(InputError, match="the model has none; give it some"):
        kr.RDrop()(passes())(model_with(non_trainable_variables=[]), batch)
    for make in (kr.RDrop, kr.ConfidencePenalty, kr.FastGradientMethod):
        for number in (0, -1.0, float("nan"), "1", True):
            with pytest.raises(InputError, match="must be a positive number"):
                make(number)


def test_they_are_saved():
    for made in (kr.RDrop(0.3), kr.ConfidencePenalty(0.3), kr.FastGradientMethod(0.3)):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
        assert type(again) is type(made) and again.get_config() == made.get_config()


# === The fast gradient method ===


def table_and_weight(rows=4):
    random = np.random.default_rng(1)
    table = keras.Variable(random.normal(size=(rows, 2)).astype("float32"), name="embeddings")
    weight = keras.Variable(np.ones((2,), "float32"), name="kernel")
    embedding = types.SimpleNamespace(embeddings=table)
    backbone = types.SimpleNamespace(token_embedding=embedding)
    model = model_with(
        non_trainable_variables=[], trainable_variables=[weight, table], backbone=backbone
    )
    return model, table, weight


def test_the_fast_gradient_method():
    """Of the loss sum(table ** 3) / 3 + sum(weight * column sums of the table)."""
    model, table, weight = table_and_weight()
    before, counted = np.array(table), []

    def gradient_fn(model, batch):
        counted.append(counts_metrics())
        t = tf.convert_to_tensor(table.value)
        return [tf.reduce_sum(t, axis=0), t**2 + tf.convert_to_tensor(weight.value)]

    found = kr.FastGradientMethod(0.5)(gradient_fn)(model, Batch(None))
    gradient = before**2 + 1
    moved = before + 0.5 * gradient / np.sqrt((gradient**2).sum())
    np.testing.assert_allclose(found[0], (before.sum(0) + moved.sum(0)) / 2, rtol=1e-5)
    np.testing.assert_allclose(found[1], (before**2 + moved**2) / 2 + 1, rtol=1e-5)
    np.testing.assert_array_equal(table, before)
    assert counted == [True, False]  # the batch is counted once


@pytest.mark.parametrize("rows", [6, 5000])  # a table is updated by rows
def test_of_rows_that_come_twice(rows):
    """Their slices are added up before the norm is taken; no other row is moved."""
    model, table, _ = table_and_weight(rows)
    before, ids = np.array(table), np.array([1, 3, 1])
    upstream = np.array([[1.0, 0.0], [0.0, 2.0], [2.0, 4.0]], "float32")
    seen = []

    def gradient_fn(model, batch):
        seen.append(np.array(tf.convert_to_tensor(table.value)))
        return [None, tf.IndexedSlices(tf.constant(upstream), tf.constant(ids), (rows, 2))]

    found = kr.FastGradientMethod(0.1)(gradient_fn)(model, Batch(None))
    summed = np.zeros((rows, 2))
    np.add.at(summed, ids, upstream)
    np.testing.assert_allclose(seen[1], before + 0.1 * summed / np.sqrt((summed**2).sum()), 1e-5)
    assert found[0] is None and isinstance(found[1], tf.IndexedSlices)
    np.testing.assert_allclose(tf.convert_to_tensor(found[1]), summed, rtol=1e-6)


def test_embeddings_that_cannot_be_moved():
    model, table, weight = table_and_weight()
    model.trainable_variables = [weight]
    with pytest.raises(InputError, match="the token embeddings are frozen"):
        kr.FastGradientMethod()(lambda *_: [tf.ones(2)])(model, Batch(None))
    model.trainable_variables = [weight, table]
    nothing = kr.FastGradientMethod()(lambda *_: [tf.ones(2), tf.zeros((4, 2))])
    np.testing.assert_array_equal(nothing(model, Batch(None))[1], np.zeros((4, 2)))


# === Mixout ===


@pytest.fixture
def mixed():
    """Mixout of a matrix that has moved since; loss and gradients in a step of a given number."""
    random = np.random.default_rng(2)
    kernel, table, head = (
        keras.Variable(random.normal(size=(40, 50)).astype("float32")) for _ in range(3)
    )
    named = {"encoder/block_0/output/kernel": kernel, "encoder/block_0/output/bias": table}
    named |= {"encoder/block_1/output/kernel": kernel, "embeddings/token": head}  # shared
    start = np.array(kernel)
    task = types.SimpleNamespace(backbone=types.SimpleNamespace(weights_by_name=lambda: named))
    transform = kr.Mixout(task, 0.3, seed=5)
    moved = start + random.normal(size=start.shape).astype("float32")
    kernel.assign(moved)
    factors = random.normal(size=start.shape).astype("float32")

    def step(number):
        iterations = keras.Variable(number, dtype="int64", trainable=False)
        optimizer = types.SimpleNamespace(iterations=iterations)
        model = model_with(non_trainable_variables=[], optimizer=optimizer)
        seen = []

        def loss_fn(model, batch):
            seen.extend(tf.convert_to_tensor(v.value) for v in (kernel, table, head))
            return BatchLoss(tf.reduce_sum(seen[0] * factors), None)

        with tf.GradientTape() as tape:
            loss = transform(loss_fn)(model, Batch(None)).loss
        return np.array(seen[0]), np.array(tape.gradient(loss, kernel.value)), seen[1:]

    return types.SimpleNamespace(
        step=step, start=start, moved=moved, factors=factors, kernel=kernel, transform=transform,
        task=task, others=(np.array(table), np.array(head)),
    )  # fmt: skip


def test_mixout(mixed):
    seen, gradient, others = mixed.step(7)
    is_start = seen == mixed.start
    assert is_start.mean() == pytest.approx(0.3, abs=5 * (0.21 / 2000) ** 0.5)
    expected = np.where(is_start, mixed.start, (mixed.moved - 0.3 * mixed.start) / 0.7)
    np.testing.assert_allclose(seen, expected, atol=1e-5)
    np.testing.assert_allclose(gradient, mixed.factors * ~is_start / 0.7, rtol=1e-5)
    np.testing.assert_array_equal(mixed.kernel, mixed.moved)  # it is put back
    for other, before in zip(others, mixed.others, strict=True):
        np.testing.assert_array_equal(other, before)
    assert len(mixed.transform.variables) == 1  # of the shared matrix


def test_mixout_takes_others_in_each_step(mixed):
    masks = [mixed.step(number)[0] == mixed.start for number in (1, 1, 2)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] & masks[2]).mean() == pytest.approx(0.09, abs=0.03)
    means = np.mean([mixed.step(number)[0] for number in range(60)], axis=0)
    spread = 5 * np.abs(mixed.moved - mixed.start) * np.sqrt(0.3 / 0.7 / 60)
    assert (np.abs(means - mixed.moved) < spread + 1e-5).mean() > 0.999


@pytest.mark.parametrize("seed", [2**32 - 1, -7, 2**40, np.int64(3)])
def test_mixout_takes_any_integer_as_its_seed(mixed, seed):
    """Of the last 32 bits; `seed` and `seed + 1` are those of two matrices."""
    masks = []
    for one in (seed, int(seed) % 2**32, int(seed) + 1):
        mixed.transform.seed = kr.Mixout(mixed.task, 0.3, one).seed
        masks.append(mixed.step(1)[0] == mixed.start)
    assert 0.2 < masks[0].mean() < 0.4
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()


def test_mixout_refuses_matrices_with_adapters(config):
    backbone = kr.RobertaBackbone(config)
    backbone.enable_lora(2)
    with pytest.raises(InputError, match="matrices are frozen"):
        kr.Mixout(types.SimpleNamespace(backbone=backbone))


def test_what_mixout_refuses():
    frozen = keras.Variable(np.ones((2, 2)), trainable=False)
    backbone = types.SimpleNamespace(weights_by_name=lambda: {"encoder/a/kernel": frozen})
    with pytest.raises(InputError, match="matrices are frozen"):
        kr.Mixout(types.SimpleNamespace(backbone=backbone))
    for rate in (0, 1, 1.5, True):
        with pytest.raises(InputError, match="rate must be above 0 and below 1"):
            kr.Mixout(types.SimpleNamespace(backbone=backbone), rate)
    for seed in (0.5, "1", None, True):
        with pytest.raises(InputError, match="seed must be an integer"):
            kr.Mixout(types.SimpleNamespace(backbone=backbone), seed=seed)
