"""What is seen of a model on sample texts: ranges, inputs of products, products that matter."""

import re
import types

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.export.calibration import products_of
from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.recipes import few_bits, fit_blocks, smallest_blocks, static
from keras_roberta.export.sensitivity import (
    answer_changes,
    keep_sensitive_products,
    most_sensitive,
    rounded,
)
from keras_roberta.export.static_ranges import (
    ProductRanges,
    Range,
    as_statistics,
    product_ranges,
    spare_outliers,
)
from keras_roberta.export.tflite_rewrites import signature_graphs

ROWS = [[0, 9, 2], [0, *range(5, 16), 2], [0, *range(20, 42), 2]]  # for both lengths, 16 and 32
QUERY = "encoder/block_0/attention/query"


def samples():
    for row in ROWS:
        length = 16 if len(row) <= 16 else 32
        yield f"tokens_{length}", as_features([row], 1, length)


@pytest.fixture(scope="module")
def content(exported):
    return exported["none"].read_bytes()


@pytest.fixture(scope="module")
def first_inputs(classifier):
    """What the first products read of tokens, from the weights: float64 (tokens, hidden_dim)."""
    weights = {k: np.asarray(v, "f8") for k, v in classifier.backbone.weights_by_name().items()}
    x = np.concatenate(
        [
            weights["embeddings/token"][row]
            + weights["embeddings/position"][2 : 2 + len(row)]
            + weights["embeddings/token_type"][0]
            for row in ROWS
        ]
    )
    x -= x.mean(axis=1, keepdims=True)
    x /= np.sqrt(np.square(x).mean(axis=1, keepdims=True) + 1e-5)
    norm = "embeddings/layer_norm"
    return x * weights[f"{norm}/gamma"] + weights[f"{norm}/beta"]


def test_ranges_are_those_of_tokens(content, first_inputs):
    model = schema.ModelT.InitFromPackedBuf(content)
    ranges = product_ranges(model, content, samples)
    assert len(ranges) == 2 * 6 + 2
    sizes = np.sqrt(np.square(first_inputs).mean(axis=1))
    expected = first_inputs.min(), first_inputs.max(), np.median(sizes)
    np.testing.assert_allclose(ranges[QUERY].inputs, expected, rtol=1e-4)
    # All signatures have the ranges that texts of one or the other have shown.
    statistics = as_statistics(model, ranges)
    graphs = signature_graphs(model)
    assert len(graphs) == 2
    for graph in graphs:
        (query,) = [p for p in products_of(model, graph) if p.layer == QUERY]
        found = statistics[graph.tensors[query.inputs].name.decode()]
        assert (found["min"], found["max"]) == pytest.approx(expected[:2], rel=1e-4)


def test_products_with_outliers_are_spared():
    calm, wild = Range(-1.0, 2.0, 0.5), Range(-1.0, 500.0, 0.5)
    ranges = {
        "encoder/calm": ProductRanges(calm, calm),
        "encoder/wild.in": ProductRanges(wild, calm),
        "encoder/wild_out": ProductRanges(calm, wild),
        "head/wild": ProductRanges(wild, wild),
    }
    for bits, spared in ((8, {"encoder/wild.in", "encoder/wild_out"}), (16, set())):
        recipe = [few_bits("FULLY_CONNECTED", 8), static("FULLY_CONNECTED", bits, layers="^enc")]
        found = spare_outliers(recipe, ranges)
        assert found[:2] == recipe
        added = [entry["regex"] for entry in found[2:]]
        assert spared == {
            layer for layer in ranges for regex in added if re.search(regex, f"{layer}/result")
        }
    assert not re.search(spare_outliers([static("FULLY_CONNECTED", 8)], ranges)[-1]["regex"], "a")
    # A step of 3 / 255, evenly spread errors.
    assert calm.noise(8) == pytest.approx(3 / 255 / 12**0.5 / 0.5)


def test_changes_of_single_products(content):
    changes, sizes = answer_changes(content, samples, 4, 32)
    assert len(changes) == 2 * 6 + 2
    assert sizes["encoder/block_1/output"] == 96 * 64
    assert all(0 < change < 1 for change in changes.values())
    finer, _ = answer_changes(content, samples, 8, 32)
    assert all(finer[layer] < changes[layer] / 4 for layer in changes)


def test_the_most_sensitive_products_keep_8_bits(content):
    recipe = [few_bits("EMBEDDING_LOOKUP", 4), few_bits("FULLY_CONNECTED", 4, block_size=32)]
    *first, added = keep_sensitive_products(recipe, content, samples)
    assert first == recipe
    changes, sizes = answer_changes(content, samples, 4, 32)
    kept = most_sensitive(changes, sizes, 0.5)
    assert 0 < len(kept) < len(changes)
    assert added["op_config"]["weight_tensor_config"]["num_bits"] == 8
    assert all(layer in added["regex"].replace("\\", "") for layer in kept)


def test_how_many_are_kept():
    changes = {"a": 3.0, "b": 4.0, "large": 4.0, "c": 0.0}
    sizes = {"a": 1, "b": 1, "large": 100, "c": 1}
    assert most_sensitive(changes, sizes, 1.0) == []
    assert most_sensitive(changes, sizes, 0.8) == ["b"]
    assert most_sensitive(changes, sizes, 0.7) == ["b", "a"]
    assert most_sensitive(changes, sizes, 0.5) == ["b", "a", "large"]
    assert most_sensitive({"a": 0.0}, {"a": 1}, 0.5) == []


def test_rounded_weights_by_hand():
    weights = np.array([[7.0, 3.4, -7.0, 0.2, 0.7, 0.07, 0.0, -0.31]], "float32")
    np.testing.assert_allclose(rounded(weights, 4, 1), [[7, 3, -7, 0, 1, 0, 0, 0]], atol=1e-6)
    expected = [[7, 3, -7, 0, 0.7, 0.1, 0.0, -0.3]]
    np.testing.assert_allclose(rounded(weights, 4, 4), expected, atol=1e-6)


# === Blocks that fit ===


def model_of(*weights):
    """A graph of operations: pairs of a kind and the shape of its weight."""
    kinds = schema.BuiltinOperator
    tensors, operators = [], []
    for i, (_, name, shape) in enumerate(weights):
        tensors += [types.SimpleNamespace(shape=s, name=n) for s, n in ((shape, b""), ([], name))]
        operators.append(
            types.SimpleNamespace(opcodeIndex=i, inputs=[0, 2 * i], outputs=[2 * i + 1])
        )
    codes = [types.SimpleNamespace(builtinCode=getattr(kinds, kind)) for kind, *_ in weights]
    graph = types.SimpleNamespace(tensors=tensors, operators=operators)
    return types.SimpleNamespace(operatorCodes=codes, subgraphs=[graph])


@pytest.mark.parametrize(
    ("width", "expected"),
    [(384, "BLOCKWISE_128"), (192, "BLOCKWISE_64"), (48, "CHANNELWISE")],
)
def test_blocks_are_as_large_as_all_widths_allow(width, expected):
    entry = few_bits("EMBEDDING_LOOKUP", 4, block_size=(128, 64, None))
    others = few_bits("FULLY_CONNECTED", 4, block_size=(64, 32), layers="^encoder")
    model = model_of(
        ("EMBEDDING_LOOKUP", b"embeddings/token", [99, width]),
        ("FULLY_CONNECTED", b"encoder/a", [10, 64]),
        ("FULLY_CONNECTED", b"encoder/b", [10, 96]),
        ("FULLY_CONNECTED", b"head/c", [10, 7]),
    )
    fitted = fit_blocks([entry, others], model)
    found = [one["op_config"]["weight_tensor_config"]["granularity"] for one in fitted]
    assert found == [expected, "BLOCKWISE_32"]
    assert list(smallest_blocks([entry, others])) == [1, 32]
    assert len(entry["op_config"]["weight_tensor_config"]["granularity"]) == 3  # as it was
