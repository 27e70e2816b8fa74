"""Exported files of encoders that RoBERTa has no settings for: the same answers, one copy of the
weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.export.compression.kernels import kernels_of
from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.task_graph import TaskGraph

ROWS = [[0, 2], [0, 7, 2], [0, *range(5, 15), 2]]
SHARED = {"parameter_sharing": "all"}
ALL = {
    **SHARED,
    "sharing_groups": 2,
    "embedding_dim": 16,
    "norm_first": True,
    "embedding_norm": False,
}


def make_task(tokenizer=None, **options):
    keras.utils.set_random_seed(0)
    config = kr.RobertaConfig(320, 3, 4, 32, 48, 40, initializer_range=0.2, seed=0, **options)
    preprocessor = tokenizer and kr.RobertaPreprocessor(tokenizer, 32)
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 3, preprocessor)
    random = np.random.default_rng(0)
    for weight in task.weights:  # biases start at 0 and gammas at 1: a lost one would not show
        weight.assign(weight + random.normal(0, 0.05, weight.shape))
    return task


@pytest.fixture(scope="module")
def task():
    return make_task(**ALL)


@pytest.mark.parametrize(
    "options",
    [
        *(SHARED, {"parameter_sharing": "attention"}, {"embedding_dim": 8}),
        *({"norm_first": True}, {"norm_first": True, "embedding_norm": False}),
    ],
)
def test_the_graph_equals_keras(options):
    task = make_task(**options)
    features = as_features(ROWS, pad_token_id=1)
    graph = TaskGraph(task)
    found = graph(**{name: tf.constant(value) for name, value in features.items()})["logits"]
    np.testing.assert_allclose(found, task(features), rtol=1e-4, atol=1e-5)


def test_a_tflite_file_holds_one_copy(task, tmp_path):
    """Of what layers share, and of what signatures do."""
    export.to_tflite(task, tmp_path / "m.tflite", "none", "tokens", sequence_lengths=(16, 32))
    model = schema.ModelT.InitFromPackedBuf((tmp_path / "m.tflite").read_bytes())
    numbers = sum(len(b.data) for b in model.buffers if b.data is not None and len(b.data) > 32)
    left_out = 16 * (40 - 32 + 2 + 1)  # positions that no signature has; the token type
    assert numbers / 4 == pytest.approx(task.count_params() - left_out, rel=0.01)


@pytest.mark.parametrize("quantization", ["int8", "int8-static"])
def test_a_file_in_eight_bits_holds_one_copy(tokenizer, tmp_path, quantization):
    """A matrix for each of the two groups that three layers are in; and the task's answers."""
    task = make_task(tokenizer, **ALL)
    texts = [f"the film was {word} good" for word in "very so too not most less as no".split()] * 2
    calibration = texts if quantization == "int8-static" else None
    path = tmp_path / "m.tflite"
    export.to_tflite(
        task, path, quantization, "tokens", sequence_lengths=(16, 32), calibration=calibration
    )
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    for shape in ([48, 32], [32, 48]):
        of_shape = {t.buffer for t in tensors if list(t.shape) == shape and is_constant(model, t)}
        assert len(of_shape) == 2
    features = task.preprocessor(texts[:8])
    found = export.load(path).predict(features)["logits"]
    expected = np.asarray(task(features))
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


def is_constant(model, tensor):
    data = model.buffers[tensor.buffer].data
    return tensor.type == schema.TensorType.INT8 and data is not None and len(data) > 0


def test_a_matrix_is_compressed_once(task):
    """Four of each of two groups, and the one behind the embeddings."""
    kernels = kernels_of(task)
    assert len(kernels) == len({id(weight) for weight in kernels.values()}) == 9
    assert "encoder/block_0/output/kernel" in kernels
    assert "encoder/block_1/output/kernel" not in kernels


@pytest.mark.parametrize("quantization", ["none", "int8"])
def test_a_saved_model_holds_one_copy(task, tmp_path, quantization):
    """Beside the scales of int8."""
    export.to_saved_model(task, tmp_path / "1", "tokens", quantization=quantization)
    read = tf.train.load_checkpoint(str(tmp_path / "1" / "variables" / "variables"))
    shapes = read.get_variable_to_shape_map()
    matrices = sum(np.prod(shape) for shape in shapes.values() if len(shape) == 2)
    own = {id(weight): np.prod(weight.shape) for weight in task.weights if weight.ndim == 2}
    left_out = 16 * (2 + 1)  # positions of padding, the token type
    assert matrices == sum(own.values()) - left_out
