"""How long the operations of a `.tflite` file take, each by itself.

LiteRT's interpreter in Python has no profiler. So each kind of operation of the encoder, with its
shapes and weights, becomes a model of its own, and that is timed.
"""

import copy
import dataclasses
import json
import logging
import subprocess
import sys
import time

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.export.packed_model import packed
from keras_roberta.export.signature_names import ENCODE

_NO_TENSOR = -1  # of an operation's optional input that is not there

logger = logging.getLogger("keras_roberta")


@dataclasses.dataclass(frozen=True)
class OperatorTime:
    """One kind of operation.

    Attributes:
        name: as TFLite calls it, such as FULLY_CONNECTED.
        shape: of its result.
        count: how many there are of this name and shape.
        milliseconds: of all of them, the sum of medians; None where LiteRT does not run it alone.
    """

    name: str
    shape: tuple[int, ...]
    count: int
    milliseconds: float | None


def operator_times(path, length, *, threads=1, repeats=20):
    """Times of the operations of an encoder, those that take longest first.

    Every operation is run on random numbers, in an interpreter with XNNPACK as the whole file is,
    and in a process of its own: LiteRT trusts its models, and one that it does not like may end it.
    XNNPACK computes some operations together with those in front of them, so that the sum may be
    more than the whole takes.

    Args:
        path: a `.tflite` file of this package.
        length: one of its lengths in tokens.
        threads: of the interpreter.
        repeats: timed calls of each.

    Returns:
        list of `OperatorTime`; empty where the process ended early, which a warning says.
    """
    arguments = [str(path), *map(str, (length, threads, repeats))]
    command = [sys.executable, "-c", f"import {__name__} as m; m._print_times()", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or [""])[-1]
        logger.warning("no times of single operations: exit status %d %s", ended.returncode, last)
        return []
    found = json.loads(ended.stdout)
    return [OperatorTime(**{**one, "shape": tuple(one["shape"])}) for one in found]


def _print_times():
    path, *numbers = sys.argv[1:]
    found = _operator_times(path, *map(int, numbers))
    print(json.dumps([dataclasses.asdict(one) for one in found]))


def _operator_times(path, length, threads, repeats):
    model = schema.ModelT.InitFromPackedBuf(np.memmap(path, np.uint8, "r"))
    name = f"{ENCODE}_{length}".encode()
    (number,) = (s.subgraphIndex for s in model.signatureDefs if s.signatureKey == name)
    graph = model.subgraphs[number]
    # A weight that is unpacked when the file is opened is no work of its own.
    unpacked = {
        int(operation.outputs[0]): operation
        for operation in graph.operators
        if _name(model, operation) == "DEQUANTIZE"
        and _is_constant(model, graph.tensors[operation.inputs[0]])
    }
    kinds = {}  # those that do the same have the same time
    for operation in graph.operators:
        if operation.outputs[0] not in unpacked:
            kinds.setdefault(_kind(model, graph, operation, unpacked), []).append(operation)
    found = {}
    for kind, operations in kinds.items():
        took = _timed(_alone(model, graph, operations[0], unpacked), threads, repeats)
        key = kind[0], tuple(map(int, graph.tensors[operations[0].outputs[0]].shape))
        count, before = found.get(key, (0, 0.0))
        total = None if took is None or before is None else before + took * len(operations)
        found[key] = count + len(operations), total
    times = [OperatorTime(*key, *value) for key, value in found.items()]
    return sorted(times, key=lambda one: -(one.milliseconds or 0.0))


def _kind(model, graph, operation, unpacked):
    """What decides how long an operation takes: its name, and its tensors but for their numbers."""
    numbers = *operation.inputs, *operation.outputs
    looks = (_looks(model, graph, unpacked[i].inputs[0] if i in unpacked else i) for i in numbers)
    return _name(model, operation), tuple(looks)


def _looks(model, graph, number):
    if number == _NO_TENSOR:
        return None
    tensor = graph.tensors[number]
    return tuple(tensor.shape), tensor.type, _is_constant(model, tensor)


def _name(model, operation):
    code = model.operatorCodes[operation.opcodeIndex].builtinCode
    names = vars(schema.BuiltinOperator).items()
    return next(name for name, value in names if value == code)


def _is_constant(model, tensor):
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _alone(model, graph, operation, unpacked):
    """The bytes of a model of one operation, and of those that unpack its weights."""
    operations = [unpacked[i] for i in dict.fromkeys(operation.inputs) if i in unpacked]
    operations.append(operation)
    alone, of_graph = schema.ModelT(), schema.SubGraphT()
    alone.version, alone.subgraphs, alone.operatorCodes = model.version, [of_graph], []
    alone.buffers = [schema.BufferT()]
    of_graph.tensors, of_graph.operators, of_graph.inputs, places = (
        [],
        [],
        [],
        {_NO_TENSOR: _NO_TENSOR},
    )
    made = {number for one in operations for number in one.outputs}
    for one in operations:
        for number in _tensors_of(graph, one):
            if number in places:
                continue
            tensor = copy.copy(graph.tensors[number])
            places[number] = len(of_graph.tensors)
            of_graph.tensors.append(tensor)
            constant = _is_constant(model, tensor)
            if constant:
                alone.buffers.append(model.buffers[tensor.buffer])
            elif number not in made:
                of_graph.inputs.append(places[number])
            tensor.buffer = len(alone.buffers) - 1 if constant else 0
        for number in (*one.inputs, *one.outputs):
            if (scales := _scales_of(graph, number)) is not None:
                tensor = of_graph.tensors[places[number]]
                tensor.quantization = copy.copy(tensor.quantization)
                tensor.quantization.details = copy.copy(tensor.quantization.details)
                tensor.quantization.details.scales = places[scales]
        only = copy.copy(one)
        only.opcodeIndex = len(alone.operatorCodes)
        alone.operatorCodes.append(model.operatorCodes[one.opcodeIndex])
        only.inputs = [places[number] for number in one.inputs]
        only.outputs = [places[number] for number in one.outputs]
        of_graph.operators.append(only)
    of_graph.outputs = of_graph.operators[-1].outputs
    return packed(alone)


def _tensors_of(graph, operation):
    """An operation's tensors, and behind them those that hold the scales of blocks of weights."""
    numbers = [*operation.inputs, *operation.outputs]
    return numbers + [scales for i in numbers if (scales := _scales_of(graph, i)) is not None]


def _scales_of(graph, number):
    quantization = None if number == _NO_TENSOR else graph.tensors[number].quantization
    in_blocks = schema.QuantizationDetails.BlockwiseQuantization
    if quantization is None or quantization.detailsType != in_blocks:
        return None
    return quantization.details.scales


def _timed(content, threads, repeats):
    """Median milliseconds of a model; None where it does not run."""
    from ai_edge_litert.interpreter import Interpreter

    random = np.random.default_rng(0)
    try:
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
        for one in interpreter.get_input_details():
            values = random.normal(size=one["shape"])
            if not np.issubdtype(one["dtype"], np.floating):
                values = np.abs(values) % 2  # places, if that is what they are, that are there
            interpreter.set_tensor(one["index"], values.astype(one["dtype"]))
        interpreter.invoke()
    except (RuntimeError, ValueError):
        return None
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        interpreter.invoke()
        seconds.append(time.perf_counter() - begin)
    return 1e3 * float(np.median(seconds))
