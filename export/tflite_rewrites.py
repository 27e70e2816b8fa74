"""What the converter leaves to be done in a TFLite model: operations put in another order, a weight
that it keeps twice.

Operations are found by the names that the inference graph gives them (`operation_names`), which the
converter keeps in the names of tensors.
"""

import copy
import re

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.export.mismatch import ExportMismatch
from keras_roberta.export.operation_names import (
    POSITION_LOOK_UP,
    TOKEN_LOOK_UP,
    TOKEN_PROJECTION,
)

Kind = schema.BuiltinOperator
_KERNEL, _RESULT = b"/kernel", b"/result"  # end the names that `name_layers` gives


def gather_before_widening(model):
    """Puts a float16 model's operations in an order that runs fast.

    The converter widens every weight to float32 first. Here the embedding's rows are looked up and
    only those widened, which spares a float32 copy of the largest weight; and what XNNPACK cannot
    run stands before the other weights' widening, so that they fall into its one partition, where
    they are done once, when the file is opened.

    Args:
        model: `schema.ModelT`, changed in place.

    Raises:
        ExportMismatch: the converter wrote the look-up in another way.
    """
    kinds = [code.builtinCode for code in model.operatorCodes]
    for graph in signature_graphs(model):
        look_ups, unused = [], []
        for name in (TOKEN_LOOK_UP, POSITION_LOOK_UP):
            gather = _named(graph, name, Kind.GATHER, kinds)
            widen = _only(
                [op for op in graph.operators if gather.inputs[0] in op.outputs],
                Kind.DEQUANTIZE,
                kinds,
                f"the half precision of {name}",
            )
            rows = copy.copy(graph.tensors[gather.outputs[0]])  # (length, hidden_dim)
            rows.type, rows.name = schema.TensorType.FLOAT16, b"rows"
            graph.tensors.append(rows)
            widen_rows = copy.copy(widen)
            widen_rows.inputs, widen_rows.outputs = [len(graph.tensors) - 1], gather.outputs
            gather.inputs = [widen.inputs[0], *gather.inputs[1:]]
            gather.outputs = widen_rows.inputs
            look_ups += [gather, widen_rows]
            if not any(widen.outputs[0] in op.inputs for op in graph.operators):
                unused.append(widen)
        # Operations run in the order of the list.
        first = [*_needed_for(graph, look_ups), *look_ups]
        rest = [op for op in graph.operators if op not in first + unused]
        graph.operators = first + rest


def look_up_by_rows(model):
    """Looks tokens and positions up by EMBEDDING_LOOKUP in place of GATHER.

    Both give the same rows. The former takes tables of 4 bits and tables with a scale a row, and
    ai-edge-quantizer quantizes it alone.

    Args:
        model: `schema.ModelT`, changed in place.

    Raises:
        ExportMismatch: the converter wrote the look-ups in another way.
    """
    kinds = [code.builtinCode for code in model.operatorCodes]
    for graph in signature_graphs(model):
        for name in (TOKEN_LOOK_UP, POSITION_LOOK_UP):
            look_up = _named(graph, name, Kind.GATHER, kinds)
            table, ids = look_up.inputs
            look_up.inputs = [ids, table]
            look_up.opcodeIndex = number_of_kind(model, Kind.EMBEDDING_LOOKUP)
            look_up.builtinOptions = None
            look_up.builtinOptionsType = schema.BuiltinOptions.NONE


def _needed_for(graph, operations):
    """The other operations on whose results some depend, directly or not, in their order."""
    needed, wanted = [], {i for op in operations for i in op.inputs}
    for op in reversed(graph.operators):
        if op not in operations and wanted.intersection(op.outputs):
            needed.insert(0, op)
            wanted.update(op.inputs)
    return needed


def share_vocabulary(model):
    """Lets the look-up of tokens use the projection's 8-bit table of the vocabulary.

    The converter makes two: one with a single scale to look up in, one with a scale a row to
    multiply with, which is the finer one. Rows of the latter are looked up as whole numbers here
    and multiplied with their scales, which spares a copy of the largest weight. A model without
    such a projection stays as it is.

    Args:
        model: `schema.ModelT`, changed in place.

    Raises:
        ExportMismatch: the converter wrote the look-up or the projection in another way.
    """
    kinds = [code.builtinCode for code in model.operatorCodes]
    scales_buffer = None  # one for all signatures, as the table
    for graph in signature_graphs(model):
        gather = _named(graph, TOKEN_LOOK_UP, Kind.GATHER, kinds)
        if not _operations(graph, TOKEN_PROJECTION):
            _check_nothing_projects(graph, gather.inputs[0], kinds)
            continue
        widen = _only(
            [op for op in graph.operators if gather.outputs[0] in op.inputs],
            Kind.DEQUANTIZE,
            kinds,
            "the widening of the rows of the embedding table",
        )
        coarse = graph.tensors[gather.inputs[0]]  # (vocabulary_size, hidden_dim)
        projection = _named(graph, TOKEN_PROJECTION, Kind.FULLY_CONNECTED, kinds)
        fine = graph.tensors[projection.inputs[1]]
        if len(fine.quantization.scale if fine.quantization else ()) != coarse.shape[0]:
            raise ExportMismatch(
                f"{TOKEN_PROJECTION}: the converter gave its 8-bit table no scale a row"
            )
        if scales_buffer is None:
            scales_buffer = len(model.buffers)
            model.buffers.append(schema.BufferT())
            scale = np.asarray(fine.quantization.scale, "<f4")
            model.buffers[-1].data = np.frombuffer(scale.tobytes(), np.uint8)
            model.buffers[coarse.buffer].data = None
        rows, widened = graph.tensors[gather.outputs[0]], graph.tensors[widen.outputs[0]]
        coarse.buffer = fine.buffer
        coarse.quantization = rows.quantization = None

        def add(name, shape, buffer=0, graph=graph, like=widened):
            tensor = copy.copy(like)  # float32
            tensor.name, tensor.shape, tensor.buffer = name, np.array(shape, np.int32), buffer
            graph.tensors.append(tensor)
            return len(graph.tensors) - 1

        length, hidden_dim = widened.shape
        scales = add(b"scales", (coarse.shape[0], 1), scales_buffer)
        look_up = copy.copy(gather)
        look_up.inputs = [scales, gather.inputs[1]]
        look_up.outputs = [add(b"scales_of_rows", (length, 1))]
        cast, multiply = schema.OperatorT(), schema.OperatorT()
        cast.opcodeIndex = number_of_kind(model, Kind.CAST)
        multiply.opcodeIndex = number_of_kind(model, Kind.MUL)
        cast.inputs, cast.outputs = gather.outputs, [add(b"whole_rows", (length, hidden_dim))]
        multiply.inputs = [cast.outputs[0], look_up.outputs[0]]
        multiply.outputs = widen.outputs
        multiply.builtinOptionsType = schema.BuiltinOptions.MulOptions
        multiply.builtinOptions = schema.MulOptionsT()
        place = graph.operators.index(widen)
        graph.operators[place : place + 1] = [look_up, cast, multiply]


def _check_nothing_projects(graph, table, kinds):
    """Raises ExportMismatch if a product seems to be with the table of tokens after all.

    That is one with the very table, or one with a kernel of its shape that belongs to no layer.
    """
    table = graph.tensors[table]
    for op in graph.operators:
        if kinds[op.opcodeIndex] != Kind.FULLY_CONNECTED:
            continue
        kernel = graph.tensors[op.inputs[1]]
        is_alike = np.array_equal(kernel.shape, table.shape) and not kernel.name.endswith(_KERNEL)
        if kernel.buffer == table.buffer or is_alike:
            raise ExportMismatch(
                f"{TOKEN_PROJECTION}: a product with the table of tokens has another name in the "
                "converted model; this version of the converter writes it in another way"
            )


def number_of_kind(model, kind):
    """An operation's number in a model, which gets one where it has none yet."""
    for number, code in enumerate(model.operatorCodes):
        if code.builtinCode == kind:
            return number
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = kind, min(kind, 127), 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def name_layers(model):
    """Names the parts of each matrix product after its layer: its kernel "<layer>/kernel", its
    result "<layer>/result".

    The converter computes the scale and shift of a layer norm as a part of the product behind it,
    and gives the product the names of both; and what a signature gives out it numbers. A quantiser
    that is told to take one layer by name would take its neighbour too, or nothing. A kernel that
    layers share is named after the first of them.

    Args:
        model: `schema.ModelT`, changed in place.
    """
    kinds = [code.builtinCode for code in model.operatorCodes]
    for graph in signature_graphs(model):
        named = set()
        for op in graph.operators:
            if kinds[op.opcodeIndex] == Kind.FULLY_CONNECTED:
                kernel, result = graph.tensors[op.inputs[1]], graph.tensors[op.outputs[0]]
                layer = _layer_of(result.name) or _layer_of(kernel.name)
                if layer is not None:
                    result.name = layer + _RESULT
                    if op.inputs[1] not in named:
                        kernel.name = layer + _KERNEL
                        named.add(op.inputs[1])


def _layer_of(name):
    """The layer of the last matrix product among an operation's names, or None.

    >>> _layer_of(b"block_0/norm/add;block_1/query/MatMul;block_1/query/add1")
    b'block_1/query'
    """
    layers = re.findall(rb"(?:^|;)([^;]+)/MatMul", name)
    return layers[-1] if layers else None


def layer_of_result(name):
    """The layer of a product's result that `name_layers` named, or None.

    Args:
        name: of a tensor, bytes; behind it may stand more after a ";".

    >>> layer_of_result(b"head/dense/result;;2"), layer_of_result(b"head/dense/bias")
    ('head/dense', None)
    """
    found = re.match(rb"(.+)" + _RESULT + rb"(?:;|$)", name or b"")
    return found and found[1].decode()


def _named(graph, name, kind, kinds):
    """The operation of a kind that the inference graph gave this name."""
    return _only(_operations(graph, name), kind, kinds, name)


def _operations(graph, name):
    """The operations whose result bears the name of a layer, alone or among others."""
    prefix = f"{name}/"
    return [
        op
        for op in graph.operators
        if any(prefix in graph.tensors[i].name.decode(errors="replace") for i in op.outputs)
    ]


def _only(operations, kind, kinds, what):
    """The one of a kind among operations; an ExportMismatch says what is missing."""
    found = [op for op in operations if kinds[op.opcodeIndex] == kind]
    if len(found) != 1:
        (name,) = (name for name, number in vars(Kind).items() if number == kind)
        raise ExportMismatch(
            f"{what}: expected one {name} in the converted model, found {len(found)}; this version "
            "of the converter writes it in another way"
        )
    return found[0]


def signature_graphs(model):
    """The subgraphs of a model's signatures that hold the encoder; all, if none seems to."""
    graphs = [model.subgraphs[signature.subgraphIndex] for signature in model.signatureDefs]
    return [graph for graph in graphs if _operations(graph, TOKEN_LOOK_UP)] or graphs
