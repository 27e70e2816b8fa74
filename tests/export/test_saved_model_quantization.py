"""SavedModels in 16 and 8 bits: what is stored, what it computes, what is refused."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tensorflow.core.protobuf import saved_model_pb2

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.saved_model_quantization import (
    SAVED_MODEL_SCHEMES,
    SavedModelScheme,
    as_bfloat16,
    as_int8,
)
from keras_roberta.jobs.options.export import ExportOptions
from keras_roberta.options import OptionError

CLASSIFIERS = ["int8", "bfloat16"]
ROWS = [[0, 2], [0, 9, 2], [0, *range(5, 35), 2]]
BRIEF = {"inputs": "tokens", "warmup_batch_sizes": [1], "warmup_lengths": [8]}

# === Numbers, without TensorFlow ===

matrices = arrays(
    "float32",
    array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(-1000, 1000, width=32),
)


@settings(deadline=None, max_examples=60)
@given(matrices, st.sampled_from([0, 1]))
def test_int8_is_half_a_step_off_at_most(matrix, axis):
    numbers, scales = as_int8(matrix, axis)
    assert numbers.dtype == np.int8 and numbers.min() >= -127
    assert scales.shape == (matrix.shape[axis],) and scales.dtype == np.float32
    by_output = np.moveaxis(matrix, axis, 0).astype("float64")
    for row, stored, scale in zip(by_output, np.moveaxis(numbers, axis, 0), scales, strict=True):
        step = max(np.abs(row).max(), 1e-30) / 127
        np.testing.assert_allclose(stored * np.float64(scale), row, rtol=1e-5, atol=0.501 * step)


def test_int8_of_an_output_without_weights():
    numbers, scales = as_int8(np.zeros((3, 2), "float32"), 1)
    assert not numbers.any() and np.isfinite(scales).all()


@settings(deadline=None, max_examples=60)
@given(matrices)
def test_bfloat16_rounds_to_the_nearest_upper_half_of_a_float32(matrix):
    numbers, scales = as_bfloat16(matrix, 1)
    bits = matrix.view("uint32").astype("uint64")
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16  # a tie goes to the even one
    np.testing.assert_array_equal(numbers.view("uint16"), bits.astype("uint16"))
    assert scales is None


# === Tasks ===


def widened(matrix, name, axis):
    """A matrix after it was stored by a scheme, by other means than the library's."""
    if name == "int8":
        step = np.abs(matrix).max(axis=1 - axis, keepdims=True) / 127
        return np.round(matrix / step) * step
    return matrix.astype({"bfloat16": ml_dtypes.bfloat16}.get(name, name)).astype("float32")


def store_in_keras(task, name):
    """Puts what a scheme stores into the matrices of a task's encoder."""
    for weight in task.backbone.weights:
        if len(weight.shape) == 2 and "token_type" not in weight.path:
            axis = 1 if weight.name == "kernel" else 0
            weight.assign(widened(weight.numpy(), name, axis))


def without_token_types(task):
    """They are added to the positions before these are stored."""
    for weight in task.backbone.weights:
        if "token_type" in weight.path:
            weight.assign(np.zeros(weight.shape))
    return task


@pytest.fixture(scope="module")
def make_classifier(make_task):
    # The scale of queries, heads being 16 wide, is a power of two, which rounds nothing.
    return lambda: without_token_types(make_task(layers=1, vocabulary_size=320))


@pytest.fixture(scope="module")
def paths(make_classifier, tmp_path_factory):
    """SavedModels of a classifier by the names of schemes. A third one is in the test of masks."""
    directory, task = tmp_path_factory.mktemp("packed"), make_classifier()
    return {
        name: export.to_saved_model(task, directory / name, quantization=name, **BRIEF)
        for name in CLASSIFIERS
    }


@pytest.fixture(scope="module")
def runners(paths):
    return {name: export.load(path) for name, path in paths.items()}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_it_computes_in_float32_with_the_stored_weights(name, runners, make_classifier):
    task, features = make_classifier(), as_features(ROWS, 1)
    exact = task(features).numpy()
    store_in_keras(task, name)
    found = runners[name].predict(features)["logits"]
    np.testing.assert_allclose(found, task(features).numpy(), rtol=1e-4, atol=1e-4)
    assert np.abs(found - exact).max() > 1e-4


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_what_is_stored(name, paths, runners):
    """Each matrix of the encoder once, in few bits; the head and all vectors in float32."""
    assert runners[name].metadata["quantization"] == name
    reader = tf.train.load_checkpoint(str(paths[name] / "variables" / "variables"))
    shapes = reader.get_variable_to_shape_map()
    types = {key: kind.name for key, kind in reader.get_variable_to_dtype_map().items()}
    matrices = [key for key, shape in shapes.items() if len(shape) == 2]
    of_head = [key for key in matrices if "head" in key]
    assert {types[key] for key in set(matrices) - set(of_head)} == {name}
    # Token, position; query, key, value, output; intermediate, output. Dense and out.
    assert (len(matrices) - len(of_head), len(of_head)) == (2 + 4 + 2, 2)
    scales = [key for key in shapes if "/scales/" in key]
    assert len(scales) == (8 if name == "int8" else 0)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_matrices_are_widened_when_they_are_needed(name, paths):
    """No constants that TensorFlow would fold, and no matrix is read before its other factor."""
    content = saved_model_pb2.SavedModel.FromString((paths[name] / "saved_model.pb").read_bytes())
    kind = tf.as_dtype(name).as_datatype_enum
    widened_matrices = 0
    for function in content.meta_graphs[0].graph_def.library.function:
        nodes = {node.name: node for node in function.node_def}
        for node in nodes.values():
            assert node.op != "Const" or node.attr["value"].tensor.dtype != kind
            if node.op == "Cast" and node.attr["SrcT"].type == kind:
                source = nodes[node.input[0].split(":")[0]]
                if source.op == "ReadVariableOp":
                    widened_matrices += 1
                    waits_for = [i for i in (*node.input, *source.input) if i.startswith("^")]
                    assert waits_for, node.name
    assert widened_matrices and widened_matrices % 6 == 0  # kernels of a block


def test_int8_in_the_loader_of_tensorflow_1(paths, runners):
    """The one of TF Serving."""
    v1, features = tf.compat.v1, as_features(ROWS, 1)
    with v1.Session(graph=tf.Graph()) as session:
        loaded = v1.saved_model.loader.load(session, ["serve"], str(paths["int8"]))
        signature = loaded.signature_def["tokens"]
        feed = {signature.inputs[name].name: value for name, value in features.items()}
        found = session.run(signature.outputs["logits"].name, feed)
    expected = runners["int8"].predict(features)["logits"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_masks_by_the_table_of_tokens(make_task, tokenizer, tmp_path):
    """One table for the look-up and for the product with all tokens."""
    backbone = make_task(layers=1, vocabulary_size=320).backbone
    preprocessor = kr.RobertaMaskedLM.preprocessor_cls(tokenizer, sequence_length=32)
    task = without_token_types(kr.RobertaMaskedLM(backbone, preprocessor=preprocessor))
    options = {"quantization": "float16", "top_k": 3, **BRIEF}
    runner = export.load(export.to_saved_model(task, tmp_path / "1", **options), tokenizer)
    store_in_keras(task, "float16")
    texts = ["the film is a <mask>", "<mask> of <mask>"]
    found, expected = runner.predict(texts), task.named_outputs(texts)
    for i, row in enumerate(expected["scores"]):
        np.testing.assert_allclose(found["scores"][i][: len(row), 0], row[:, 0], atol=1e-5)


# === What is refused ===


def test_a_scheme_of_ones_own_that_loses_too_much(make_classifier, tmp_path, monkeypatch):
    """Weights are 0 or the largest one of their output."""

    def two_bits(matrix, axis):
        scales = np.abs(matrix).max(axis=1 - axis).astype("float32")
        return np.rint(matrix / np.expand_dims(scales, 1 - axis)).astype("int8"), scales

    bound = SAVED_MODEL_SCHEMES["int8"].bound
    scheme = SavedModelScheme("own", "one of a test", bound, two_bits)
    monkeypatch.setitem(SAVED_MODEL_SCHEMES, "own", scheme)
    options = {"quantization": "own", **BRIEF}
    with pytest.raises(export.ExportMismatch, match="quantization 'own': .* nothing was written"):
        export.to_saved_model(make_classifier(), tmp_path / "1", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("format", "name", "message"),
    [
        ("saved-model", "int4", "'int4': a SavedModel has none, bfloat16, float16, int8; choose"),
        ("tflite", "bfloat16", "'bfloat16': a TFLite file has none, float16, int8, "),
    ],
)
def test_each_format_has_its_own_quantizations(format, name, message):
    with pytest.raises(OptionError, match=f"^quantization {message}"):
        ExportOptions(format=format, quantization=name)


def test_an_unknown_quantization(make_classifier, tmp_path):
    message = "quantization: expected one of none, bfloat16, float16, int8; got 'int4'"
    with pytest.raises(InputError, match=message):
        export.to_saved_model(make_classifier(), tmp_path / "1", quantization="int4")
