"""What a float `.tflite` model computes inside on sample texts.

The model runs without XNNPACK, which does not keep what is between its operations, and rows of
padding are left out of everything. All signatures compute the same operations in the same order at
different lengths; what is seen in one of them is taken for all.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.export.tflite_rewrites import layer_of_result

# A function that gives pairs of a signature's name and its inputs, one of each text.
Samples = Callable[[], Iterator[tuple[str, dict[str, np.ndarray]]]]


class Product(NamedTuple):
    """A matrix product of a signature's graph.

    Attributes:
        layer: its name, such as "encoder/block_0/output".
        inputs, kernel, result: numbers of tensors.
    """

    layer: str
    inputs: int
    kernel: int
    result: int


def products_of(model, graph) -> list[Product]:
    """The matrix products of a graph with constant kernels, in their order.

    Args:
        model: `schema.ModelT` whose layers have names (`tflite_rewrites.name_layers`).
        graph: one of its `subgraphs`.
    """
    kinds = [code.builtinCode for code in model.operatorCodes]
    found = []
    for op in graph.operators:
        if kinds[op.opcodeIndex] == schema.BuiltinOperator.FULLY_CONNECTED:
            kernel, result = graph.tensors[op.inputs[1]], graph.tensors[op.outputs[0]]
            layer = layer_of_result(result.name)  # kernels may be shared
            if layer is not None and model.buffers[kernel.buffer].data is not None:
                found.append(Product(layer, op.inputs[0], op.inputs[1], op.outputs[0]))
    return found


def runs(content, model, samples):
    """Runs sample texts one after the other.

    Args:
        content: the model in float32.
        model: the same, unpacked: `schema.ModelT`.
        samples: see `Samples`.

    Yields:
        after each text the graph of its signature, and a function from the number of a tensor to
        its rows, float32 (tokens, width), without those of padding.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*experimental_preserve_all_tensors")  # memory
        interpreter = Interpreter(
            model_content=content,
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
    numbers = {s.signatureKey.decode(): s.subgraphIndex for s in model.signatureDefs}
    runners = {}
    for name, inputs in samples():
        if name not in runners:
            runners[name] = interpreter.get_signature_runner(name)
        runners[name](**inputs)
        kept = inputs["padding_mask"].reshape(-1) == 1

        def rows_of(tensor, number=numbers[name], kept=kept):
            values = interpreter.get_tensor(tensor, number)
            rows = values.reshape(-1, values.shape[-1])
            return rows[kept] if len(rows) == len(kept) else rows

        yield model.subgraphs[numbers[name]], rows_of
