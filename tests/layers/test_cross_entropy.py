import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.layers.cross_entropy import VocabularyCrossEntropy, cross_entropy

LABELS = np.array([[0, 49, 7], [7, 7, 20]])
WEIGHTS = np.array([[1.0, 0.0, 0.5], [1.0, 2.0, 0.0]], "float32")


def logits_of(scale):
    return tf.constant(np.random.default_rng(0).normal(0, scale, (2, 3, 50)), tf.float32)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])  # the last overflows an exponential
@pytest.mark.parametrize("first", [2, None])
@pytest.mark.parametrize("jit_compile", [None, True])
def test_values_and_gradients_are_tensorflows(scale, first, jit_compile):
    def run(logits, losses_of):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            losses = losses_of(LABELS, logits)
        return losses, tape.gradient(losses, logits, WEIGHTS)

    signature = [tf.TensorSpec((first, 3, 50), tf.float32)]
    ours = tf.function(lambda x: run(x, cross_entropy), signature, jit_compile=jit_compile)
    logits = logits_of(scale)
    expected = run(logits, tf.nn.sparse_softmax_cross_entropy_with_logits)
    for value, other in zip(ours(logits), expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight", "sum_over_batch_size"])
def test_the_loss_is_kerass(reduction):
    keras_s = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    ours = VocabularyCrossEntropy(reduction=reduction)
    ours = keras.losses.deserialize(keras.losses.serialize(ours))
    for weights in (None, WEIGHTS):
        expected = keras_s(LABELS, logits_of(1.0), weights)
        for labels in (LABELS, LABELS[..., None]):
            np.testing.assert_allclose(ours(labels, logits_of(1.0), weights), expected, rtol=1e-6)


def test_a_logit_that_is_not_a_number_is_not_hidden():
    logits = logits_of(1.0).numpy()
    logits[1, 2, 3] = np.nan
    assert np.isnan(cross_entropy(LABELS, tf.constant(logits))).tolist()[1][2]


@pytest.mark.parametrize("label", [-1, 50])
def test_a_label_outside_the_vocabulary_is_not_taken_for_another(label):
    labels = LABELS.copy()
    labels[1, 0] = label
    losses = np.asarray(cross_entropy(labels, logits_of(1.0)))
    assert np.isnan(losses[1, 0]) and np.isfinite(losses).sum() == 5
