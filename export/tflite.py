"""A task as one `.tflite` file: a signature for each length, one copy of the weights."""

import collections
import copy
import tempfile

import flatbuffers
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from keras_roberta.atomic_write import atomic_file
from keras_roberta.errors import InputError
from keras_roberta.export.edge_graph import EdgeGraph
from keras_roberta.export.metadata import TFLITE_IDENTIFIER, add_metadata, describe
from keras_roberta.export.runtime import TFLiteRunner
from keras_roberta.export.verify import ExportMismatch, verify

QUANTIZATIONS = ("none", "float16", "int8")
INPUTS = ("tokens",)


def to_tflite(task, path, quantization="int8", inputs="tokens", sequence_lengths=(32, 64, 128)):
    """Writes a task as a TFLite model for batches of one.

    The file has one signature for each length, `tokens_32`, `tokens_64` and so on, since XNNPACK
    is fastest on fixed shapes and a short text should not pay for a long one. The last is the
    longest. Each takes `token_ids` and `padding_mask`, int32 (1, length), padding at the end, and
    gives the outputs of `EdgeGraph`. Before the file appears it is run and compared with the task.

    Args:
        task: a `RobertaTextClassifier`.
        path: the file to write.
        quantization: "none" keeps float32; "float16" stores weights in half precision and
            computes in float32; "int8" stores 8-bit weights, one scale a row or output, and
            multiplies in 8 bits, with activations scaled as they come (dynamic range): no
            calibration data needed.
        inputs: "tokens".
        sequence_lengths: lengths in tokens, specials included.

    Returns:
        `path`

    Raises:
        InputError: an argument that is not supported.
        ExportMismatch: the file computes something else than the task, or would be slow because
            XNNPACK does not run it in one piece. Nothing is written.
    """
    check_choice("quantization", quantization, QUANTIZATIONS)
    check_choice("inputs", inputs, INPUTS)
    lengths = check_lengths(sequence_lengths, task.backbone.config.max_sequence_length)
    graph = EdgeGraph(task)
    content = convert(graph, lengths, quantization, describe(task, quantization, lengths))
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
        check_operations(temporary)
        verify(task, TFLiteRunner(temporary), quantization)
    return path


def convert(graph, lengths, quantization, metadata):
    """The content of the `.tflite` file."""
    # Through a SavedModel: the converter takes several signatures from nothing else.
    with tempfile.TemporaryDirectory() as directory:
        functions = {f"tokens_{length}": _trace(graph, length) for length in lengths}
        tf.saved_model.save(graph, directory, signatures=functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            directory, signature_keys=list(functions)
        )
        if quantization != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "float16":
            converter.target_spec.supported_types = [tf.float16]
        content = converter.convert()
    model = schema.ModelT.InitFromPackedBuf(content)
    if quantization == "float16":
        gather_before_widening(model)
    add_metadata(model, metadata)
    builder = flatbuffers.Builder(len(content) + 4096)
    builder.Finish(model.Pack(builder), file_identifier=TFLITE_IDENTIFIER)
    return bytes(builder.Output())


def gather_before_widening(model):
    """Puts a float16 model's operations in an order that runs fast.

    The converter widens every weight to float32 first. Here the embedding's rows are looked up and
    only those widened, which spares a float32 copy of the largest weight; and what XNNPACK cannot
    run stands before the other weights' widening, so that they fall into its one partition, where
    they are done once, when the file is opened.

    Args:
        model: `schema.ModelT`, changed in place.
    """
    kinds = [code.builtinCode for code in model.operatorCodes]
    kind_of = schema.BuiltinOperator
    for graph in model.subgraphs:
        by_output = {op.outputs[0]: op for op in graph.operators}
        gather = next(op for op in graph.operators if kinds[op.opcodeIndex] == kind_of.GATHER)
        widen = by_output[gather.inputs[0]]
        rows = copy.copy(graph.tensors[gather.outputs[0]])  # (length, hidden_dim)
        rows.type, rows.name = schema.TensorType.FLOAT16, b"rows"
        graph.tensors.append(rows)
        gather.inputs = [widen.inputs[0], *gather.inputs[1:]]
        widen.inputs = [len(graph.tensors) - 1]
        widen.outputs, gather.outputs = gather.outputs, widen.inputs
        # Operations run in the order of the list.
        first = [op for op in graph.operators if kinds[op.opcodeIndex] == kind_of.CAST]
        first += [op for op in (by_output.get(gather.inputs[1]),) if op] + [gather, widen]
        graph.operators = first + [op for op in graph.operators if op not in first]


def check_operations(path):
    """Raises ExportMismatch unless a file has built-in operations alone, and XNNPACK runs the
    encoder of each signature in one piece.

    Every hand-over between XNNPACK and TFLite's own kernels copies the activations.
    """
    model = schema.Model.GetRootAs(path.read_bytes())
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    custom = [code.CustomCode().decode() for code in codes if code.CustomCode()]
    if custom:
        raise ExportMismatch(f"the graph needs operations that TFLite lacks: {', '.join(custom)}")
    # The interpreter shows the first signature's partitions alone. The others have the same
    # operations in the same order, which is what XNNPACK goes by.
    graphs = [_operations(model.Subgraphs(i)) for i in range(model.SubgraphsLength())]
    if any(graph != graphs[0] for graph in graphs):
        raise ExportMismatch("the signatures differ in more than their lengths")
    partitions = xnnpack_partitions(path)
    if partitions != 1:
        raise ExportMismatch(f"XNNPACK splits the graph into {partitions} partitions, not 1")


def xnnpack_partitions(path):
    """Into how many pieces the first signature falls for XNNPACK."""
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    # Nodes that a delegate took over stay listed; each piece adds one node of this name.
    names = collections.Counter(node["op_name"] for node in interpreter._get_ops_details())
    return names["DELEGATE"]


def check_lengths(sequence_lengths, longest):
    """The lengths in ascending order, each once; an InputError names the one that does not fit."""
    try:
        lengths = sorted({int(length) for length in sequence_lengths})
        whole = lengths == sorted({float(length) for length in sequence_lengths})
    except (TypeError, ValueError):
        lengths, whole = [], False
    if not lengths or not whole:
        raise InputError(
            f"sequence_lengths: expected whole numbers such as (32, 128); got {sequence_lengths!r}"
        )
    for length in lengths:
        if not 3 <= length <= longest:
            raise InputError(
                f"sequence_lengths: {length} is outside 3..{longest}, the model's "
                "max_sequence_length"
            )
    return lengths


def check_choice(name, value, choices):
    """Raises an InputError that lists the choices unless `value` is among them."""
    if value not in choices:
        raise InputError(f"{name}: expected one of {', '.join(choices)}; got {value!r}")


def _trace(graph, length):
    def run(token_ids, padding_mask):
        return graph(token_ids, padding_mask)

    return tf.function(run).get_concrete_function(
        token_ids=tf.TensorSpec((1, length), tf.int32, "token_ids"),
        padding_mask=tf.TensorSpec((1, length), tf.int32, "padding_mask"),
    )


def _operations(subgraph):
    return [subgraph.Operators(i).OpcodeIndex() for i in range(subgraph.OperatorsLength())]
