"""A task as one `.tflite` file: a signature for each length, one copy of weights and tables."""

import collections
import logging
import os
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.checkpoints.activation_ranges import fingerprint_of
from keras_roberta.errors import InputError
from keras_roberta.export.arguments import (
    check_calibration,
    check_choice,
    check_in_graph,
    check_inputs,
    check_number_of_texts,
    lengths_of_file,
    takes_pairs,
)
from keras_roberta.export.edge_quantizer import check_quantizer, check_widths, quantize_weights
from keras_roberta.export.interpreter import open_interpreter
from keras_roberta.export.metadata import add_metadata, describe
from keras_roberta.export.mismatch import ExportMismatch
from keras_roberta.export.packed_model import packed
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.export.samples import samples_of_texts
from keras_roberta.export.shared_scales import share_scales
from keras_roberta.export.signature_names import ENCODE, OF_TOKENIZER, PLACE, TEXT, TOKENIZE
from keras_roberta.export.static_ranges import ranges_of_training
from keras_roberta.export.task_graph import TaskGraph
from keras_roberta.export.text_signatures import add_text_signatures, put_first
from keras_roberta.export.tflite_rewrites import name_layers
from keras_roberta.export.tflite_runner import TFLiteRunner
from keras_roberta.export.verify import SENTENCES, verify
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.tokenizers import byte_buffer
from keras_roberta.unknown_arguments import refuse_misspelt

logger = logging.getLogger("keras_roberta")


def to_tflite(
    task: keras.Model,
    path: str | os.PathLike,
    quantization: str = "int8",
    inputs: str = "text",
    *,
    sequence_lengths: Sequence[int] | None = None,
    pairs: bool = False,
    overwrite: bool = False,
    calibration: Any = None,
    license: str | None = None,
    **head_options: Any,
) -> str | os.PathLike:
    """Writes a task as a `.tflite` file, which answers one text at a time.

    The file has a signature for each length in tokens. XNNPACK is fastest on fixed shapes, and a
    short text does not have to be computed at the length of a long one. All signatures share one
    copy of the weights. The file is run and compared with the task before it appears.

    The signatures `tokens_32`, `tokens_64` and so on take `token_ids` and `padding_mask`, int32
    (1, length), padding anywhere, and give the outputs of the task by name; see its schema.

    With `inputs="text"` the tokenizer is in the file, as two signatures more for each length.
    `tokenize_32` takes

    - input `utf8`, uint8 (1, the tokenizer's `bytes_per_token` * length): the text in UTF-8, filled
      up with zeros. A text that is too long is cut at the end of a character;
      `keras_roberta.tokenizers.byte_buffer.fill` does both. With `pairs` there is an input
      `utf8_pair` too.

    and gives `token_ids` and `padding_mask`, as `tokens_32` takes them, and

    - output `num_tokens`, int32 (1): how many tokens the text has. If that is more than the length,
      the text was cut, and a longer signature sees more of it;
    - of tasks whose answers are parts of the text, output `offsets`, int32 (1, length, 2): the
      first byte of each token in the text, and the one behind its last.

    `text_32` is one after the other: it takes what `tokenize_32` takes, and gives the outputs of
    the task, `num_tokens`, `offsets` where there are any, and `token_ids`, which is called
    `input_ids` where the task has an output `token_ids` of its own.

    Args:
        task: a task with a head that can be exported.
        path: the file to write.
        quantization: the name of a scheme of `export.quantization.SCHEMES`, whose `summary` says
            what it does: "none", "float16", "int8", "int4" and others, or one that you added.
        inputs: "text" or "tokens".
        sequence_lengths: lengths in tokens, with special tokens, ascending. By default 32, 64 and
            128, as far as the model has positions and, with `inputs="text"`, as the preprocessor's
            `sequence_length` goes.
        pairs: whether the model takes pairs of texts, as it does where the task always does; with
            `inputs="text"`.
        overwrite: replace the file if there is one.
        calibration: texts like those that the model will see, a hundred or more, for quantisations
            that need them: in a form that the task's `predict` takes, so pairs of texts, questions
            with contexts or with options where the model is to see these. None
            where quantisation-aware training has left ranges with the task for this one
            (`QuantizationAwareTraining`), which are then used.
        license: under which the model may be used, such as its SPDX identifier; for the metadata.
        **head_options: options of the task. A masked language model has `top_k`, the candidates for
            each mask, and `max_masks`, the number of masks of a text that are answered; its output
            `num_masks` tells whether there were more.

    Returns:
        `path`

    Raises:
        InputError: the file exists, or an argument is not supported.
        ExportMismatch: the file's answers differ from the task's by more than the quantisation may
            cost; or the file would be slow, because XNNPACK does not run its encoder in one piece.
            Nothing is written.
    """
    refuse_misspelt(to_tflite, head_options, getattr(task, "export_options", ()))
    check_choice("quantization", quantization, SCHEMES)
    scheme = SCHEMES[quantization]
    learned = None
    if calibration is None and scheme.needs_calibration:
        learned = getattr(task.backbone, "activation_ranges", None)
    fingerprint = learned and fingerprint_of(task.backbone.weights_by_name())
    check_calibration(scheme, calibration, learned, fingerprint)
    if calibration is not None:
        check_number_of_texts(scheme, len(task.schema.texts_of(calibration)[0]))
    check_quantizer(scheme)
    path = pathlib.Path(path).expanduser()
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists; choose a new name or give overwrite=True")
    if path.is_dir():
        raise InputError(f"{path}: is a directory; remove it first")
    pairs = takes_pairs(task, inputs, pairs)
    check_widths(scheme, task.backbone.config)
    module = PhoneModule(
        task,
        inputs=inputs,
        sequence_lengths=sequence_lengths,
        pairs=pairs,
        head_options=head_options,
    )
    lengths = module.lengths
    values = describe(
        task,
        module.graph.head,
        quantization=quantization,
        sequence_lengths=lengths,
        inputs=inputs,
        pairs=pairs,
        num_bytes=[module.num_bytes(n) for n in lengths] if inputs == "text" else None,
        ids_output=module.graph.head.ids_name if inputs == "text" else None,
        license=license,
    )
    with atomic_file(path) as temporary:
        content = tflite_bytes(
            module,
            scheme=scheme,
            metadata=values,
            samples=None if calibration is None else module.samples(calibration),
            ranges=learned and ranges_of_training(learned, task.backbone.config.head_dim**-0.5),
            directory=temporary.parent,
        )
        temporary.write_bytes(content)
        check_operations(temporary, scheme)
        runner = TFLiteRunner(temporary)
        verify(task, runner, graph=module.graph, scheme=scheme)
        if inputs == "text":
            check_text_signatures(runner, module.graph.head.placed)
    return path


class PhoneModule(tf.Module):
    """The graph, and the tokenizer in front of it.

    Args:
        task, inputs, sequence_lengths, pairs, head_options: see `to_tflite`.

    Attributes:
        lengths: of the signatures in tokens, ascending.
    """

    def __init__(
        self, task, *, inputs="text", sequence_lengths=None, pairs=False, head_options=None
    ):
        super().__init__(name="phone")
        # A file of fixed sizes takes the defaults of such.
        defaults = getattr(task, "export_options", {})
        self.graph = TaskGraph(task, {**defaults, **(head_options or {})})
        check_inputs(task, inputs, pairs)
        self.inputs, self.pairs, self.preprocessor = inputs, pairs, task.preprocessor
        self.pad_token_id = task.backbone.config.pad_token_id
        if inputs == "text":
            tokenizer = task.preprocessor.tokenizer
            self.tokenizer = check_in_graph(tokenizer, tokenizer.static_in_graph())
        longest = task.backbone.config.max_sequence_length
        of_texts = task.preprocessor.sequence_length if inputs == "text" else None
        self.lengths = lengths_of_file(sequence_lengths, longest, of_texts)
        self.graph.encoder.keep_positions(self.lengths[-1])

    def num_bytes(self, length):
        """The size of the buffer for a text that fills a signature."""
        return self.preprocessor.tokenizer.bytes_per_token * length

    def functions(self):
        """The concrete functions of the signatures by name; see `text_signatures` for the rest."""
        functions = {f"{ENCODE}_{n}": self._trace_tokens(n) for n in self.lengths}
        if self.inputs == "text":
            functions |= {f"{TOKENIZE}_{n}": self._trace_tokenizer(n) for n in self.lengths}
            if self.graph.head.placed:
                functions |= {f"{PLACE}_{n}": self._trace_places(n) for n in self.lengths}
        return functions

    def samples(self, asked):
        """What is calibrated on, see `samples_of_texts`."""
        return samples_of_texts(
            asked,
            self.graph.head.schema,
            getattr(self.preprocessor, "tokenizer", None),
            lengths=self.lengths,
            pad_token_id=self.pad_token_id,
            inputs=self.inputs,
            pairs=self.pairs,
        )

    def _trace_tokens(self, length):
        """From token ids to the task's outputs."""

        def run(token_ids, padding_mask):
            outputs = self.graph(token_ids, padding_mask)
            if self.inputs == "text":
                outputs |= self.graph.head.as_bytes(outputs, self.tokenizer)
            return outputs

        return tf.function(run, autograph=False).get_concrete_function(
            token_ids=tf.TensorSpec((1, length), tf.int32, "token_ids"),
            padding_mask=tf.TensorSpec((1, length), tf.int32, "padding_mask"),
        )

    def _trace_tokenizer(self, length):
        """From the bytes of a text, or of two, to token ids."""

        prefix = np.frombuffer(byte_buffer.encode(self.graph.head.schema.prefix), np.uint8)

        def run(utf8, **of_pair):
            if len(prefix):
                utf8 = tf.concat([tf.constant(prefix[None]), utf8], axis=1)
            with_offsets = self.graph.head.gives_offsets
            return self.tokenizer(
                utf8, **of_pair, sequence_length=length, with_offsets=with_offsets
            )

        shape = (1, self.num_bytes(length))
        return tf.function(run, autograph=False).get_concrete_function(
            **{
                name: tf.TensorSpec(shape, tf.uint8, name)
                for name in (["utf8", "utf8_pair"] if self.pairs else ["utf8"])
            }
        )

    def _trace_places(self, length):
        """From places in a row of tokens to places in the text."""
        numbers = {name: tf.TensorSpec((1,), tf.int32, name) for name in self.graph.head.placed}
        return tf.function(self.graph.head.as_places, autograph=False).get_concrete_function(
            offsets=tf.TensorSpec((1, length, 2), tf.int32, "offsets"), **numbers
        )


def tflite_bytes(module, *, scheme, metadata, samples=None, ranges=None, directory=None):
    """The content of the `.tflite` file.

    Args:
        module: `PhoneModule`
        scheme: `QuantizationScheme`
        metadata: see `describe`.
        samples: see `PhoneModule.samples`.
        ranges: of activations, see `quantize_weights`.
        directory: on a disk with room for the model; None: that of the system's temporary files.
    """
    functions = module.functions()
    # Through a SavedModel: the converter takes several signatures from nothing else.
    with tempfile.TemporaryDirectory(dir=directory) as directory:
        tf.saved_model.save(module, directory, signatures=functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            directory, signature_keys=list(functions)
        )
        if not scheme.recipe:  # else the texts are for ai-edge-quantizer, and this stays float32
            converter.representative_dataset = samples
        scheme.configure(converter)
        content = converter.convert()
    model = schema.ModelT.InitFromPackedBuf(content)
    for rewrite in (name_layers, *scheme.rewrites):
        rewrite(model)
    if scheme.recipe:
        model = quantize_weights(model, scheme, samples, ranges)
    if module.inputs == "text":
        add_text_signatures(model, module.lengths, module.graph.head.ids_name)
    add_metadata(model, metadata, scheme.min_runtime_version)
    share_scales(model)
    return packed(model)


def check_operations(path, scheme):
    """Raises ExportMismatch unless a file has built-in operations alone and, where the scheme
    demands it, XNNPACK runs the encoder of each signature in one piece.

    Every hand-over between XNNPACK and TFLite's own kernels copies the activations.
    """
    model = schema.Model.GetRootAs(path.read_bytes())
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    custom = [code.CustomCode().decode() for code in codes if code.CustomCode()]
    if custom:
        raise ExportMismatch(f"the graph needs operations that TFLite lacks: {', '.join(custom)}")
    partitions = xnnpack_partitions(path)
    if scheme.one_partition == "reported":
        if partitions != 1:
            logger.warning(
                "%s: XNNPACK runs it in %d pieces, and TFLite's own kernels, which are slower, the "
                "rest",
                path.name,
                partitions,
            )
        return
    # The interpreter shows the first subgraph's partitions alone. Most encoders have the same
    # operations in the same order, which is what XNNPACK goes by; the converter may put those of
    # long rows into another order.
    known = {_operations(model.Subgraphs(0)): partitions}
    for i in range(model.SignatureDefsLength()):
        number = model.SignatureDefs(i).SubgraphIndex()
        order = _operations(model.Subgraphs(number))
        if model.SignatureDefs(i).SignatureKey().startswith(ENCODE.encode()) and order not in known:
            known[order] = _partitions_of(path, number)
    if max(known.values()) != 1:
        raise ExportMismatch(
            f"XNNPACK splits the graph into {max(known.values())} partitions, not 1"
        )


def check_text_signatures(runner, placed=()):
    """Raises ExportMismatch unless `text_N` gives what `tokenize_N` and `tokens_N` give, and
    `place_N` of the outputs that are `placed`."""
    for length, num_bytes in zip(runner.lengths, runner.metadata["num_bytes"], strict=True):
        names = ["utf8", "utf8_pair"] if runner.metadata["pairs"] else ["utf8"]
        utf8 = {name: byte_buffer.fill([SENTENCES[2]], num_bytes) for name in names}
        row = runner.run(f"{TOKENIZE}_{length}", **utf8)
        ids = {name: row[name] for name in ("token_ids", "padding_mask")}
        expected = runner.run(f"{ENCODE}_{length}", **ids)
        expected |= {runner.metadata["ids_output"]: row["token_ids"]}
        expected |= {name: row[name] for name in OF_TOKENIZER if name in row}
        if placed:
            numbers = {name: expected[name] for name in placed}
            expected |= runner.run(f"{PLACE}_{length}", offsets=row["offsets"], **numbers)
        found = runner.run(f"{TEXT}_{length}", **utf8)
        for name, value in expected.items():
            if not np.array_equal(found[name], value):
                raise ExportMismatch(f"{TEXT}_{length}: gives another {name} than its two parts")


def xnnpack_partitions(path):
    """Into how many pieces the first encoder falls for XNNPACK."""
    interpreter = open_interpreter(path)
    # Nodes that a delegate took over stay listed; each piece adds one node of this name.
    names = collections.Counter(node["op_name"] for node in interpreter._get_ops_details())
    return names["DELEGATE"]


def _partitions_of(path, number):
    """`xnnpack_partitions` of another subgraph."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    put_first(model, [number])
    with tempfile.TemporaryDirectory() as directory:
        other = pathlib.Path(directory) / "other.tflite"
        other.write_bytes(packed(model))
        return xnnpack_partitions(other)


def _operations(subgraph):
    return tuple(subgraph.Operators(i).OpcodeIndex() for i in range(subgraph.OperatorsLength()))
