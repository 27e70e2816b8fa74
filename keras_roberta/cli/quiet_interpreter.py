"""LiteRT without the notice that it prints when it is first used."""

import os
import re

from keras_roberta.startup.quiet_stderr import stderr_without
from keras_roberta.startup.quiet_tensorflow import DEBUG_VARIABLE

_EVERYTHING = re.compile(rb".*", re.DOTALL)


def start_interpreter(*models):
    """Runs LiteRT once, quietly; call it before a command opens a `.tflite` file.

    It says once a process, past Python, that it has made its XNNPACK delegate.

    Args:
        *models: what will be opened; nothing is done where no `.tflite` is among it. Without any,
            one may come.
    """
    needed = not models or any(str(model).endswith(".tflite") for model in models)
    if not needed or os.environ.get(DEBUG_VARIABLE):
        return
    from ai_edge_litert.interpreter import Interpreter

    with stderr_without(_EVERYTHING):
        Interpreter(model_content=_smallest_model()).allocate_tensors()


def _smallest_model():
    """y = |x|, of one number."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ABS
    code.version = 1
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    graph = schema.SubGraphT()
    graph.tensors = [_number("x"), _number("y")]
    graph.inputs, graph.outputs, graph.operators = [0], [1], [operator]
    model = schema.ModelT()
    model.version, model.buffers = 3, [schema.BufferT()]
    model.operatorCodes, model.subgraphs = [code], [graph]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _number(name):
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name, [1], schema.TensorType.FLOAT32
    return tensor
