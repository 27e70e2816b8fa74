"""Files that are calibrated on sample texts."""

import functools

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.export.tflite import xnnpack_partitions
from keras_roberta.export.tflite_rewrites import signature_graphs

TYPES = schema.TensorType
KINDS = schema.BuiltinOperator
TEXTS = [
    f"{first} {second} {third}"
    for first in ("a gem", "the film", "its last half hour")
    for second in ("is a mess", "makes up for much of that", "does what the page says")
    for third in ("from start to finish", "and more", "in two days")
]
CALIBRATED = [name for name, scheme in SCHEMES.items() if scheme.needs_calibration]
ROWS = as_features([[0, 9, 2], [0, *range(5, 16), 2], [0, 5, 6, 7, 2]], 1)


@pytest.fixture(scope="module")
def made(calm_classifier, make_once):
    """A function that gives the path of the file of a scheme."""

    def write(name, path):
        lengths = [8, 16] if name == "int8-static" else [16]
        export.to_tflite(
            calm_classifier, path, name, "tokens", sequence_lengths=lengths, calibration=TEXTS
        )

    return lambda name: make_once(f"calibrated-{name}.tflite", functools.partial(write, name))


def products(path):
    """For each signature its products by layer: types of inputs, kernel and result."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    found = []
    for graph in signature_graphs(model):
        found.append({})
        for op in graph.operators:
            if model.operatorCodes[op.opcodeIndex].builtinCode == KINDS.FULLY_CONNECTED:
                parts = [graph.tensors[i] for i in (*op.inputs[:2], *op.outputs)]
                layer = parts[1].name.decode().removesuffix("/kernel")
                found[-1][layer] = parts
    return model, found


@pytest.mark.parametrize("name", CALIBRATED)
def test_answers(name, made, calm_classifier):
    expected = calm_classifier.named_outputs(ROWS)["probabilities"]
    runner = export.load(made(name))
    assert runner.metadata["quantization"] == name
    found = runner.predict(ROWS)["probabilities"]
    assert 0 < np.abs(found - expected).max() < SCHEMES[name].bound.largest_change


@pytest.mark.parametrize("name", [n for n in CALIBRATED if n != "int16x8"])
def test_one_piece_for_xnnpack(name, made):
    assert xnnpack_partitions(made(name)) == 1


@pytest.mark.parametrize(("name", "kind"), [("int8-static", "INT8"), ("int16x8", "INT16")])
def test_products_of_the_encoder_have_fixed_ranges(name, kind, made):
    _, found = products(made(name))
    for layers in found:
        for layer, (inputs, kernel, result) in layers.items():
            assert kernel.type == TYPES.INT8
            expected = getattr(TYPES, kind) if layer.startswith("encoder/") else TYPES.FLOAT32
            assert (inputs.type, result.type) == (expected, expected), layer
            if layer.startswith("encoder/") and kind == "INT16":
                assert list(result.quantization.zeroPoint) == [0]


def test_signatures_have_the_same_ranges(made):
    """Texts of one length tell the ranges of all, and biases stand in the file once."""
    model, (short, long) = products(made("int8-static"))
    assert short.keys() == long.keys()
    for layer in short:
        for one, other in zip(short[layer], long[layer], strict=True):
            if one.quantization is not None and one.quantization.scale is not None:
                np.testing.assert_array_equal(one.quantization.scale, other.quantization.scale)
        assert short[layer][1].buffer == long[layer][1].buffer


def test_some_products_of_mixed_have_8_bits(made):
    _, (layers,) = products(made("mixed"))
    kinds = [kernel.type for _, kernel, _ in layers.values()]
    assert {TYPES.INT4, TYPES.INT8} == set(kinds)
    size = {name: made(name).stat().st_size for name in ("mixed", "int8-static")}
    assert size["mixed"] < size["int8-static"]


def test_too_few_texts(calm_classifier, tmp_path):
    for texts in (["a gem"], TEXTS[:15]):
        message = f"calibration: quantization 'int8-static' needs 16 texts .* got {len(texts)}"
        with pytest.raises(InputError, match=message):
            export.to_tflite(
                calm_classifier, tmp_path / "a.tflite", "int8-static", calibration=texts
            )
    assert not list(tmp_path.iterdir())
