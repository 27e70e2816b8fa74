"""The plain graph against Keras, before any conversion."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.task_graph import TaskGraph
from keras_roberta.export.verify import float32_task

ROWS = [[0, 2], [0, 7, 2], [0, *range(5, 25), 2], [0, *range(300, 310), 2]]


def graph_logits(task, features):
    return TaskGraph(task)(**{k: tf.constant(v) for k, v in features.items()})["logits"].numpy()


@pytest.mark.parametrize("num_layers", [1, 3])
def test_equals_keras_on_a_padded_batch(make_task, num_layers):
    task = make_task(layers=num_layers)
    features = as_features(ROWS, pad_token_id=1)
    np.testing.assert_allclose(
        graph_logits(task, features), task(features).numpy(), rtol=1e-4, atol=1e-5
    )


def test_outputs_belong_together(classifier):
    features = as_features(ROWS, pad_token_id=1)
    out = TaskGraph(classifier)(**{k: tf.constant(v) for k, v in features.items()})
    out = {name: value.numpy() for name, value in out.items()}
    np.testing.assert_allclose(out["probabilities"].sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(out["label"], out["logits"].argmax(axis=-1))
    np.testing.assert_allclose(out["score"], out["probabilities"].max(axis=-1))


def test_lora_is_part_of_the_kernels(make_task):
    task = make_task()
    before = graph_logits(task, as_features(ROWS, 1))
    for block in task.backbone.encoder.blocks:
        layer = block.attention.query_key_value
        layer.enable_lora(2)
        layer.lora_kernel_b.assign(keras.random.normal(layer.lora_kernel_b.shape, seed=1))
    features = as_features(ROWS, 1)
    after = graph_logits(task, features)
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(after, task(features).numpy(), rtol=1e-4, atol=1e-5)


def test_half_precision_models_export_their_float32_weights(make_task):
    half = make_task(dtype="mixed_bfloat16")
    features = as_features(ROWS, 1)
    reference = float32_task(half)
    assert reference.backbone.dtype_policy.compute_dtype == "float32"
    np.testing.assert_allclose(
        graph_logits(half, features), reference(features).numpy(), rtol=1e-4, atol=1e-5
    )


def test_other_tasks_are_named(classifier):
    with pytest.raises(InputError, match="a RobertaBackbone cannot be exported"):
        TaskGraph(classifier.backbone)


def test_an_option_that_the_task_lacks(classifier):
    with pytest.raises(InputError, match="top_k: a RobertaTextClassifier has no such option"):
        TaskGraph(classifier, {"top_k": 3})


def test_quantized_weights_are_refused(make_task):
    task = make_task()
    task.backbone.encoder.blocks[0].intermediate_dense.quantize("int8")
    with pytest.raises(InputError, match="intermediate/kernel is int8"):
        TaskGraph(task)
