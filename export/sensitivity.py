"""Which matrix products bear few bits least: measured, each alone, on sample texts."""

from __future__ import annotations

import itertools
import logging
import re

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.export.calibration import Samples, products_of
from keras_roberta.export.operation_names import TOKEN_PROJECTION
from keras_roberta.export.recipes import Entry, few_bits, smallest_blocks
from keras_roberta.export.tflite_rewrites import signature_graphs

# Texts on which each product is measured. Their number is the time that it takes: a model of 12
# blocks has 73 products.
MOST_TEXTS = 32
# The products in 4 bits move the answers, together, by at most this share of what all of them do.
LEFT = 0.5

logger = logging.getLogger("keras_roberta")


def keep_sensitive_products(recipe: list[Entry], content: bytes, samples: Samples) -> list[Entry]:
    """A recipe of 4 bits with 8 bits for the products that move the answers most.

    Errors of single products add up like independent ones: their squares do. Products are taken in
    the order of the square of their change for each of their weights.

    Args:
        recipe: whose first entry for FULLY_CONNECTED is the one of the products.
        content: the model in float32.
        samples: see `calibration.Samples`.
    """
    entry = next(entry for entry in recipe if entry["operation"] == "FULLY_CONNECTED")
    (block_size,) = smallest_blocks([entry])
    changes, sizes = answer_changes(content, samples, 4, block_size)
    kept = most_sensitive(changes, sizes, LEFT)
    logger.info(
        "%d of %d products stay in 8 bits: %s", len(kept), len(changes), ", ".join(kept) or "none"
    )
    if not kept:
        return recipe
    sharing = _sharing_layers(schema.ModelT.InitFromPackedBuf(content))
    layers = "|".join(re.escape(layer) for name in kept for layer in sharing[name])
    return [*recipe, few_bits("FULLY_CONNECTED", 8, layers=f"^({layers})/")]


def most_sensitive(changes: dict[str, float], sizes: dict[str, int], left: float) -> list[str]:
    """The fewest names without which the root of the sum of squares is at most `left` times as
    large, those with the most of it for their size first.

    >>> most_sensitive({"a": 3.0, "b": 4.0, "c": 0.1}, {"a": 1, "b": 1, "c": 1}, 0.7)
    ['b']
    """
    order = sorted(changes, key=lambda name: -(changes[name] ** 2) / sizes[name])
    squares = np.array([changes[name] ** 2 for name in order])
    behind = squares.sum() - np.concatenate([[0], np.cumsum(squares)])
    count = int(np.argmax(behind <= left**2 * squares.sum() + 1e-12))
    return order[:count]


def answer_changes(content: bytes, samples: Samples, num_bits: int, block_size: int):
    """How far the answers move when one matrix product alone has its weights in few bits.

    Args:
        content, samples: see `keep_sensitive_products`.
        num_bits: of the weights.
        block_size: weights of a row that share a scale; 1: the whole row.

    Returns:
        two dicts by the names of layers, of which those that share a kernel are one, by the name of
        the first: the mean over the texts of the largest change of a number
        that the model gives, as a share of the largest such number; and the number of weights.
    """
    content = bytearray(content)
    model = schema.Model.GetRootAs(content)
    tensors = schema.ModelT.InitFromObj(model)
    texts = list(itertools.islice(samples(), MOST_TEXTS))
    expected = _answers(content, texts)
    changes, sizes = {}, {}
    graph = signature_graphs(tensors)[0]
    first_layers = _sharing_layers(tensors)
    for product in products_of(tensors, graph):
        if product.layer == TOKEN_PROJECTION or product.layer not in first_layers:
            continue
        kernel = graph.tensors[product.kernel]
        weights = model.Buffers(kernel.buffer).DataAsNumpy().view("<f4").reshape(kernel.shape)
        exact = weights.copy()
        weights[:] = rounded(exact, num_bits, block_size)
        changes[product.layer] = _change(_answers(content, texts), expected)
        weights[:] = exact
        sizes[product.layer] = exact.size
    return changes, sizes


def _sharing_layers(model):
    """The layers of each kernel, in order, by the name of the first."""
    graph = signature_graphs(model)[0]
    layers = {}
    for product in products_of(model, graph):
        layers.setdefault(graph.tensors[product.kernel].buffer, []).append(product.layer)
    return {names[0]: names for names in layers.values()}


def rounded(weights, num_bits, block_size):
    """Weights (outputs, inputs) as whole numbers of few bits give them back."""
    blocks = weights.reshape(len(weights), -1, block_size if block_size > 1 else weights.shape[1])
    highest = 2 ** (num_bits - 1) - 1
    scales = np.maximum(np.abs(blocks).max(axis=-1, keepdims=True), 1e-9) / highest
    return (np.rint(blocks / scales) * scales).reshape(weights.shape)


def _answers(content, texts):
    """The floating-point outputs of texts: dict of lists of arrays."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=bytes(content), num_threads=1)
    names = {name for name, _ in texts}
    runners = {name: interpreter.get_signature_runner(name) for name in names}
    outputs = [runners[name](**inputs) for name, inputs in texts]
    return {
        name: [output[name] for output in outputs]
        for name, value in outputs[0].items()
        if value.dtype == np.float32
    }


def _change(found, expected):
    shares = []
    for name, values in expected.items():
        largest = max(np.abs(value).max() for value in values)
        pairs = zip(found[name], values, strict=True)
        moved = np.mean([np.abs(one - other).max() for one, other in pairs])
        shares.append(moved / max(largest, 1e-9))
    return float(max(shares))
