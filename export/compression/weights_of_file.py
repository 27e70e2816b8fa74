"""What the matrices of a `.tflite` file are made of, counted in the file itself."""

from __future__ import annotations

import dataclasses
import os
import zlib
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.export.operation_names import POSITION_LOOK_UP, TOKEN_LOOK_UP
from keras_roberta.export.tflite_rewrites import signature_graphs

Kind, Type = schema.BuiltinOperator, schema.TensorType
_LOOK_UPS = (Kind.GATHER, Kind.EMBEDDING_LOOKUP)
_DTYPES = {Type.FLOAT32: "<f4", Type.FLOAT16: "<f2", Type.INT8: "i1", Type.UINT8: "u1"}


@dataclasses.dataclass(frozen=True)
class Matrix:
    """One matrix of a file.

    Attributes:
        values: as they are stored, whole numbers where it is quantised: (outputs, inputs), or
            (tokens, width) of a table.
        is_table: whether rows of it are looked up, rather than it being multiplied with.
    """

    values: np.ndarray
    is_table: bool

    @property
    def most_values_a_row(self) -> int:
        """The most distinct values in a row; rows have scales of their own."""
        rows = np.sort(self.values, axis=1)
        return int(1 + np.max(np.sum(rows[:, 1:] != rows[:, :-1], axis=1)))


@dataclasses.dataclass(frozen=True)
class WeightsOfFile:
    """What `measure_weights` found.

    Attributes:
        megabytes: of the file.
        megabytes_zipped: of the same packed by deflate, as apps and downloads have it.
        zeros: share of zeros in the matrices of products.
        zeros_of_tables: share of zeros in the tables of embeddings.
        values_a_row: the most distinct values that any row of a matrix of products has, as stored.
        distinct_values: how many values the file's matrices of products have: of each those that
            are distinct in it, all together.
    """

    megabytes: float
    megabytes_zipped: float
    zeros: float
    zeros_of_tables: float
    values_a_row: int
    distinct_values: int


def measure_weights(path: str | os.PathLike) -> WeightsOfFile:
    """Counts zeros and distinct values in a `.tflite` file of this library.

    Zeros and few values make no file smaller by themselves: what they save shows when it is packed.
    They make it no faster either: XNNPACK, which runs the file, multiplies dense matrices.

    Args:
        path: the file.
    """
    content = Path(path).expanduser().read_bytes()
    matrices = matrices_of(content)
    products = [matrix for matrix in matrices if not matrix.is_table]
    tables = [matrix for matrix in matrices if matrix.is_table]
    return WeightsOfFile(
        megabytes=len(content) / 1e6,
        megabytes_zipped=len(zlib.compress(content)) / 1e6,
        zeros=_share_of_zeros(products),
        zeros_of_tables=_share_of_zeros(tables),
        values_a_row=max((matrix.most_values_a_row for matrix in products), default=0),
        distinct_values=sum(len(np.unique(matrix.values)) for matrix in products),
    )


def matrices_of(content: bytes) -> list[Matrix]:
    """The matrices of a file, each once, however many signatures use it."""
    model = schema.ModelT.InitFromPackedBuf(content)
    kinds = [code.builtinCode for code in model.operatorCodes]
    found = {}
    for graph in signature_graphs(model):
        made_by = {output: op for op in graph.operators for output in op.outputs}
        for op in graph.operators:
            kind = kinds[op.opcodeIndex]
            is_table = kind in _LOOK_UPS and _is_named(graph, op, TOKEN_LOOK_UP, POSITION_LOOK_UP)
            if kind != Kind.FULLY_CONNECTED and not is_table:
                continue
            # The table is what a GATHER takes first, and the others second.
            number = op.inputs[0 if kind == Kind.GATHER else 1]
            maker = made_by.get(number)
            if maker is not None and kinds[maker.opcodeIndex] == Kind.DEQUANTIZE:
                number = maker.inputs[0]  # half precision, widened
            tensor = graph.tensors[number]
            values = _values(model.buffers[tensor.buffer], tensor, content)
            if values is not None and (tensor.buffer, is_table) not in found:
                found[tensor.buffer, is_table] = Matrix(values, is_table)
    return list(found.values())


def _is_named(graph, op, *names):
    made = b";".join(graph.tensors[i].name for i in op.outputs).decode(errors="replace")
    return any(f"{name}/" in made for name in names)


def _values(buffer, tensor, content):
    """The numbers of a constant matrix, or None where it is none."""
    if buffer.offset:  # in a large file weights stand behind all the rest
        data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
    elif buffer.data is not None and len(buffer.data):
        data = np.asarray(buffer.data, np.uint8)
    else:
        return None
    if len(tensor.shape) != 2:
        return None
    if tensor.type == Type.INT4:  # two to a byte, the first in its low half
        halves = np.stack([data & 15, data >> 4], axis=-1).reshape(-1).astype(np.int8)
        values = np.where(halves > 7, halves - 16, halves)
        return values[: np.prod(tensor.shape)].reshape(tensor.shape)
    if tensor.type not in _DTYPES:
        return None
    return data.view(_DTYPES[tensor.type]).reshape(tensor.shape)


def _share_of_zeros(matrices: list[Matrix]) -> float:
    """Over all weights, so that large matrices count for more."""
    size = sum(matrix.values.size for matrix in matrices)
    return sum(np.count_nonzero(matrix.values == 0) for matrix in matrices) / max(size, 1)
