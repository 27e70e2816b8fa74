"""A task as one `.tflite` file: a signature for each length, one copy of weights and tables."""

import collections
import tempfile

import flatbuffers
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.export.arguments import check_choice, check_in_graph, check_inputs, check_lengths
from keras_roberta.export.interpreter import open_interpreter
from keras_roberta.export.metadata import TFLITE_IDENTIFIER, add_metadata, describe
from keras_roberta.export.runtime import TFLiteRunner
from keras_roberta.export.task_graphs import graph_of
from keras_roberta.export.tflite_rewrites import gather_before_widening, share_vocabulary
from keras_roberta.export.verify import ExportMismatch, verify
from keras_roberta.files.atomic_write import atomic_file

QUANTIZATIONS = ("none", "float16", "int8")
# Room for the UTF-8 of a text that fills a signature: English has four to five bytes a token.
BYTES_PER_TOKEN = 8


def to_tflite(
    task,
    path,
    quantization="int8",
    inputs="text",
    sequence_lengths=(32, 64, 128),
    pairs=False,
    top_k=5,
    max_masks=8,
):
    """Writes a task as a TFLite model for batches of one.

    The file has one signature for each length, since XNNPACK is fastest on fixed shapes and a short
    text should not pay for a long one. Before it appears it is run and compared with the task.

    With `inputs="text"` the tokenizer is in the file. The signatures `text_32`, `text_64` and so on
    take `utf8`, uint8 (1, num_bytes): the text's UTF-8, zeros behind it, `BYTES_PER_TOKEN` times as
    long as the signature has tokens (see `StaticTokenizer`; `byte_buffer.fill` fills such
    buffers, and cuts at the end of a character where a text is longer). With `pairs` there is
    `utf8_pair` too. They give the outputs of `ClassifierGraph`, and `token_ids`, int32 (1, length),
    and `num_tokens`, int32 (1): where that is more than the length the text was cut, and a longer
    signature sees more of it. Of a `RobertaMaskedLM` they give the outputs of `MaskedLMGraph` and
    its `as_bytes`, and the ids of the text are `input_ids`.

    With `inputs="tokens"` the signatures `tokens_32` and so on take `token_ids` and `padding_mask`,
    int32 (1, length), padding at the end, and give the outputs of the graph alone.

    Args:
        task: a `RobertaTextClassifier` or a `RobertaMaskedLM`.
        path: the file to write.
        quantization: "none" keeps float32; "float16" stores weights in half precision and
            computes in float32; "int8" stores 8-bit weights, one scale a row or output, and
            multiplies in 8 bits, with activations scaled as they come (dynamic range): no
            calibration data needed. The tokenizer's tables are whole numbers and stay as they are.
        inputs: "text" or "tokens".
        sequence_lengths: lengths in tokens, specials included.
        pairs: whether a row is two texts; with `inputs="text"`.
        top_k: candidates for each mask, of a `RobertaMaskedLM`.
        max_masks: how many masks of a text are answered, of a `RobertaMaskedLM`: the first ones.
            `num_masks` tells whether there were more.

    Returns:
        `path`

    Raises:
        InputError: an argument that is not supported.
        ExportMismatch: the file computes something else than the task, or would be slow because
            XNNPACK does not run its encoder in one piece. Nothing is written.
    """
    check_choice("quantization", quantization, QUANTIZATIONS)
    check_inputs(task, inputs, pairs)
    lengths = check_lengths(sequence_lengths, task.backbone.config.max_sequence_length)
    num_bytes = [BYTES_PER_TOKEN * n for n in lengths] if inputs == "text" else None
    module = PhoneModule(task, inputs, top_k, max_masks)
    if inputs == "text":
        functions = {f"text_{n}": module.trace_text(n, pairs) for n in lengths}
    else:
        functions = {f"tokens_{n}": module.trace_tokens(n) for n in lengths}
    values = describe(task, module.graph.metadata, quantization, lengths, inputs, pairs, num_bytes)
    content = convert(module, functions, quantization, values)
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
        check_operations(temporary)
        verify(task, TFLiteRunner(temporary), quantization)
    return path


class PhoneModule(tf.Module):
    """The graph, and the tokenizer in front of it.

    Args:
        task, inputs, top_k, max_masks: see `to_tflite`.
    """

    def __init__(self, task, inputs, top_k=5, max_masks=8):
        super().__init__(name="phone")
        self.graph = graph_of(task, top_k, max_masks)
        if inputs == "text":
            tokenizer = task.preprocessor.tokenizer
            self.tokenizer = check_in_graph(tokenizer, tokenizer.static_in_graph())

    def trace_tokens(self, length):
        """The concrete function on token ids, padding at the end."""
        return tf.function(
            lambda token_ids, padding_mask: self.graph(token_ids, padding_mask), autograph=False
        ).get_concrete_function(
            token_ids=tf.TensorSpec((1, length), tf.int32, "token_ids"),
            padding_mask=tf.TensorSpec((1, length), tf.int32, "padding_mask"),
        )

    def trace_text(self, length, pairs):
        """The concrete function on the bytes of a text, or of two."""

        def run(**utf8):
            row = self.tokenizer(**utf8, sequence_length=length)
            outputs = self.graph(row["token_ids"], row["padding_mask"])
            return {
                **outputs,
                **self.graph.as_bytes(outputs, self.tokenizer),
                self.graph.ids_name: row["token_ids"],
                "num_tokens": row["num_tokens"],
            }

        shape = (1, BYTES_PER_TOKEN * length)
        return tf.function(run, autograph=False).get_concrete_function(
            **{
                name: tf.TensorSpec(shape, tf.uint8, name)
                for name in (["utf8", "utf8_pair"] if pairs else ["utf8"])
            }
        )


def convert(module, functions, quantization, metadata):
    """The content of the `.tflite` file.

    Args:
        module: what the functions hold on to.
        functions: the concrete functions of the signatures, by name.
    """
    # Through a SavedModel: the converter takes several signatures from nothing else.
    with tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(module, directory, signatures=functions)
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
    if quantization == "int8":
        share_vocabulary(model)
    add_metadata(model, metadata)
    builder = flatbuffers.Builder(len(content) + 4096)
    builder.Finish(model.Pack(builder), file_identifier=TFLITE_IDENTIFIER)
    return bytes(builder.Output())


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
    signatures = [model.SignatureDefs(i) for i in range(model.SignatureDefsLength())]
    graphs = [_operations(model.Subgraphs(s.SubgraphIndex())) for s in signatures]
    if any(graph != graphs[0] for graph in graphs):
        raise ExportMismatch("the signatures differ in more than their lengths")
    partitions = xnnpack_partitions(path)
    if partitions != 1:
        raise ExportMismatch(f"XNNPACK splits the graph into {partitions} partitions, not 1")


def xnnpack_partitions(path):
    """Into how many pieces the first signature falls for XNNPACK."""
    interpreter = open_interpreter(path)
    # Nodes that a delegate took over stay listed; each piece adds one node of this name.
    names = collections.Counter(node["op_name"] for node in interpreter._get_ops_details())
    return names["DELEGATE"]


def _operations(subgraph):
    return [subgraph.Operators(i).OpcodeIndex() for i in range(subgraph.OperatorsLength())]
