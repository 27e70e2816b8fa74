"""Weights in 4 bits: what is in the file, what it answers, what cannot be done."""

import importlib.util
import logging
import subprocess
import sys

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export import tflite_rewrites
from keras_roberta.export.edge_quantizer import check_quantizer, check_widths
from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.export.shared_scales import share_scales
from keras_roberta.export.tflite import xnnpack_partitions

INT4, INT8 = schema.TensorType.INT4, schema.TensorType.INT8
TABLE = (20_000, 64)  # of the vocabulary


def read_weights(path):
    """The model, and (layer's name or "table", tensor) of each weight in few bits."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    return model, [
        ("table" if tuple(t.shape) == TABLE else t.name.decode(), t)
        for t in tensors
        if t.type in (INT4, INT8) and t.quantization is not None
        if t.quantization.scale is not None or t.quantization.details is not None
    ]


def test_all_signatures_share_one_copy_of_the_weights(exported):
    model, found = read_weights(exported["int4"])
    assert len(found) == 2 * 16  # of two encoders: 14 kernels, tokens and positions
    buffers = {}
    for name, tensor in found:
        buffers.setdefault(name.replace("Gather1", "Gather"), set()).add(tensor.buffer)
    assert len(buffers) == 16 and all(len(numbers) == 1 for numbers in buffers.values())
    sizes = [0 if buffer.data is None else len(buffer.data) for buffer in model.buffers]
    assert sizes.count(TABLE[0] * TABLE[1] // 2) == 1
    # Scales of blocks are buffers too: a number of 2 bytes for each block.
    blocks = {name: t.quantization.details.blockSize for name, t in found if t.quantization.details}
    assert blocks.pop("table") == 64 == TABLE[1]
    assert len(blocks) == 14 and set(blocks.values()) == {32}  # rows of 64 and 96


def test_the_table_holds_the_embeddings(exported, calm_classifier):
    """Each weight is its number of 4 bits, low half of a byte first, times the scale of its row."""
    model, found = read_weights(exported["int4_embedding"])
    kinds = {name: tensor.type for name, tensor in found}
    assert kinds.pop("table") == INT4 and set(kinds.values()) == {INT8}
    (table,) = [tensor for name, tensor in found if name == "table"]
    content = model.buffers[table.buffer].data
    numbers = np.stack([content & 15, content >> 4], axis=1).reshape(TABLE).astype("int8")
    numbers[numbers > 7] -= 16
    (graph,) = [graph for graph in model.subgraphs if table in graph.tensors]
    scales = graph.tensors[table.quantization.details.scales]  # one block of 64, a whole row
    rows = numbers * model.buffers[scales.buffer].data.view("<f2").astype("f4")[:, None]
    expected = np.asarray(calm_classifier.backbone.weights_by_name()["embeddings/token"])
    # Normally distributed numbers in 15 steps: 0.115 times their spread at best.
    assert 0.1 < np.std(rows - expected) / np.std(expected) < 0.13


@pytest.mark.parametrize("name", ["int4", "int4_embedding"])
def test_answers_and_size(name, exported, calm_classifier):
    path = exported[name]
    assert xnnpack_partitions(path) == 1
    rows = as_features([[0, 9, 2], [0, *range(5, 16), 2], [0, 5, 6, 7, 2]], 1)
    expected = calm_classifier.named_outputs(rows)["probabilities"]
    bound = SCHEMES[name.replace("_", "-")].bound
    found = export.load(path).predict(rows)["probabilities"]
    assert 0 < np.abs(found - expected).max() < bound.largest_change
    # A byte for two embeddings, and a scale for each row.
    weights = TABLE[0] * TABLE[1] / 2 + 2 * TABLE[0]
    assert weights < path.stat().st_size < weights + 600_000


def test_blocks_of_zeros_and_of_tiny_weights(make_task, tmp_path):
    """As pruning leaves them; XNNPACK takes no scale of 0."""
    task = make_task()
    for weight in task.backbone.weights:
        if weight.name == "kernel":
            values = 0.25 * np.asarray(weight)
            values[:, 3] = 0
            values[:32, 5] *= 1e-9
            weight.assign(values)
    path = export.to_tflite(task, tmp_path / "f.tflite", "int4", "tokens", sequence_lengths=[16])
    rows = as_features([[0, 9, 2], [0, 5, 6, 7, 2]], 1)
    expected = task.named_outputs(rows)["probabilities"]
    found = export.load(path).predict(rows)["probabilities"]
    np.testing.assert_allclose(found, expected, atol=SCHEMES["int4"].bound.largest_change)


def test_one_table_to_look_up_and_to_project(make_task, tokenizer, tmp_path):
    backbone = make_task(layers=1).backbone
    preprocessor = kr.RobertaMaskedLM.preprocessor_cls(tokenizer, sequence_length=16)
    task = kr.RobertaMaskedLM(backbone, preprocessor)
    path = export.to_tflite(task, tmp_path / "a.tflite", "int4", sequence_lengths=[8, 16])
    model, found = read_weights(path)
    assert len({tensor.buffer for name, tensor in found if name == "table"}) == 1
    sizes = [0 if buffer.data is None else len(buffer.data) for buffer in model.buffers]
    assert sizes.count(TABLE[0] * TABLE[1] // 2) == 1
    texts = ["a <mask> gem"]
    found, expected = export.load(path).predict(texts), task.named_outputs(texts)
    np.testing.assert_allclose(found["scores"][0, 0, 0], expected["scores"][0, 0].max(), atol=0.2)


def test_the_root_logger_is_left_alone(calm_classifier, tmp_path, caplog, monkeypatch):
    """To which the quantizer writes that it writes a model, and what it does to buffers."""
    root = logging.getLogger()
    handlers, filters = list(root.handlers), list(root.filters)
    options = {"inputs": "tokens", "sequence_lengths": [8]}
    with caplog.at_level(logging.INFO):
        export.to_tflite(calm_classifier, tmp_path / "a.tflite", "int4-embedding", **options)
    assert not [record for record in caplog.records if record.name == "root"]
    assert (root.handlers, root.filters) == (handlers, filters)


def test_widths_that_no_block_fits():
    for sizes in ({"hidden_dim": 48}, {"intermediate_dim": 100}):
        config = kr.RobertaConfig(
            **{"vocabulary_size": 99, "num_heads": 4, "hidden_dim": 64, **sizes}
        )
        (name, value), *_ = sizes.items()
        message = f"quantization: 'int4' cuts weights into blocks of 32, and .* {name} is {value}"
        with pytest.raises(InputError, match=message):
            check_widths(SCHEMES["int4"], config)
        for other in ("none", "int8", "int4-embedding"):
            check_widths(SCHEMES[other], config)


def test_a_quantizer_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="'int4' needs the package ai-edge-quantizer; pip install"):
        check_quantizer(SCHEMES["int4"])
    check_quantizer(SCHEMES["int8"])


def test_the_quantizer_is_imported_where_it_is_used():
    code = "import sys, keras_roberta, keras_roberta.export, keras_roberta.jobs.options.export\n"
    code += "print([name for name in sys.modules if name.startswith('ai_edge_quantizer')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr


def test_look_ups_that_another_converter_writes(exported):
    model = schema.ModelT.InitFromPackedBuf(exported["int4_embedding"].read_bytes())
    with pytest.raises(export.ExportMismatch, match="token/look_up: expected one GATHER"):
        tflite_rewrites.look_up_by_rows(model)


def test_scales_stand_in_a_file_once():
    def tensor(scale, **others):
        parameters = schema.QuantizationParametersT(
            scale=np.full(1000, scale, "f4"), zeroPoint=np.zeros(1000, "i8"), **others
        )
        return schema.TensorT(name=b"a", quantization=parameters)

    def packed(model):
        builder = flatbuffers.Builder(0)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    scales = [(1.0, {}), (1.0, {}), (2.0, {}), (1.0, {"quantizedDimension": 1})]
    graphs = [schema.SubGraphT(tensors=[tensor(s, **others)]) for s, others in scales]
    model = schema.ModelT(version=3, subgraphs=graphs)
    before = packed(model)
    share_scales(model)
    after = packed(model)
    assert len(before) - len(after) == pytest.approx(12_000, abs=100)  # of one of the four
    read = schema.ModelT.InitFromPackedBuf(after)
    for graph, (scale, others) in zip(read.subgraphs, scales, strict=True):
        parameters = graph.tensors[0].quantization
        np.testing.assert_array_equal(parameters.scale, np.full(1000, scale))
        assert parameters.quantizedDimension == others.get("quantizedDimension", 0)
