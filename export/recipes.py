"""Entries of recipes: what ai-edge-quantizer does with which operations of a model."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema

Entry = dict[str, Any]

# The scale with the least squared error, https://arxiv.org/abs/2206.06501, equation 6. By the
# largest weight alone four bits lose a fifth more answers.
OCTAV = "OCTAV"
LARGEST = "min_max_uniform_quantize"
_BLOCKS = "BLOCKWISE_"


def few_bits(
    operation: str,
    num_bits: int,
    *,
    block_size: int | None | Sequence[int | None] = None,
    layers: str = ".*",
    scales: str = LARGEST,
) -> Entry:
    """An entry for the weights of one kind of operation.

    Products are of whole numbers: the runtime scales activations to 8 bits as they come.

    Args:
        operation: its name in TFLite, such as "FULLY_CONNECTED".
        num_bits: 2, 4 or 8.
        block_size: how many weights of a row share a scale: 32, 64, 128 or 256, of which the row's
            length has to be a multiple; None: the whole row. Of several the first that fits.
        layers: regular expression, searched for in the names of operations (`operation_names`). Of
            two entries for one operation the later one counts.
        scales: the quantizer's algorithm that finds them.
    """
    sizes = block_size if isinstance(block_size, Sequence) else [block_size]
    granularities = [f"{_BLOCKS}{size}" if size else "CHANNELWISE" for size in sizes]
    return {
        "regex": layers,
        "operation": operation,
        "algorithm_key": scales,
        "op_config": {
            "weight_tensor_config": {
                "num_bits": num_bits,
                "symmetric": True,
                "granularity": granularities[0] if len(sizes) == 1 else granularities,
                "dtype": "INT",
            },
            "compute_precision": "INTEGER",
            "explicit_dequantize": False,
        },
    }


def static(operation: str, activation_bits: int, *, layers: str = ".*") -> Entry:
    """An entry for weights in 8 bits, one scale an output, and activations of fixed ranges.

    Args:
        operation, layers: see `few_bits`.
        activation_bits: 8, with a zero point; or 16, without.
    """
    entry = few_bits(operation, 8, layers=layers)
    entry["op_config"]["activation_tensor_config"] = {
        "num_bits": activation_bits,
        "symmetric": activation_bits == 16,
        "granularity": "TENSORWISE",
        "dtype": "INT",
    }
    return entry


def is_static(entry: Entry) -> bool:
    """Whether an entry of a recipe gives activations fixed ranges."""
    return "activation_tensor_config" in entry.get("op_config", {})


def smallest_blocks(recipe: Sequence[Entry]) -> Iterator[int]:
    """Of each entry, into which blocks it cuts rows at the smallest; 1 where it need not."""
    for entry in recipe:
        yield min(map(_size, _granularities(entry)))


def fit_blocks(recipe: Sequence[Entry], model) -> list[Entry]:
    """A recipe whose entries have one size of blocks each: the first that fits all their weights.

    Args:
        recipe: entries, see `few_bits`.
        model: `schema.ModelT`
    """
    fitted = []
    for entry in recipe:
        if len(_granularities(entry)) > 1:
            found = _fitting(entry, math.gcd(*_widths(model, entry)))
            config = dict(entry["op_config"])
            config["weight_tensor_config"] = {
                **config["weight_tensor_config"],
                "granularity": found,
            }
            entry = {**entry, "op_config": config}
        fitted.append(entry)
    return fitted


def fitting_block(entry: Entry, width: int) -> int | None:
    """How many weights of a row share a scale, where rows have a multiple of `width` weights; None:
    the whole row.

    >>> fitting_block(few_bits("FULLY_CONNECTED", 4, block_size=(64, 32)), 96)
    32
    """
    size = _size(_fitting(entry, width))
    return None if size == 1 else size


def _fitting(entry, width):
    sizes = _granularities(entry)
    return next((size for size in sizes if width % _size(size) == 0), sizes[-1])


def _granularities(entry):
    weights = entry.get("op_config", {}).get("weight_tensor_config", {})
    found = weights.get("granularity", "CHANNELWISE")
    return [found] if isinstance(found, str) else list(found)


def _size(granularity):
    return int(granularity.removeprefix(_BLOCKS)) if granularity.startswith(_BLOCKS) else 1


def _widths(model, entry):
    """The lengths of the rows of all weights that an entry is for."""
    kind = vars(schema.BuiltinOperator)[entry["operation"]]
    for graph in model.subgraphs:
        for op in graph.operators:
            if model.operatorCodes[op.opcodeIndex].builtinCode != kind:
                continue
            name = ";".join(graph.tensors[i].name.decode() for i in op.outputs)
            if re.search(entry["regex"], name):
                yield int(graph.tensors[op.inputs[1]].shape[-1])
