"""A task as a SavedModel, for TF Serving or any program that has TensorFlow."""

import functools
import json
import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.export import metadata
from keras_roberta.export.arguments import (
    OF_TFLITE,
    check_choice,
    check_in_graph,
    check_inputs,
    check_lengths,
    takes_pairs,
)
from keras_roberta.export.edge_graph import EdgeGraph
from keras_roberta.export.options import check_options
from keras_roberta.export.packed_graph import PackedGraph
from keras_roberta.export.saved_model_quantization import SAVED_MODEL_SCHEMES
from keras_roberta.export.saved_model_runner import SavedModelRunner
from keras_roberta.export.serving_warmup import write_warmup_requests
from keras_roberta.export.signature_names import TOKENIZE
from keras_roberta.export.task_graph import TaskGraph
from keras_roberta.export.verify import verify
from keras_roberta.files.atomic_write import atomic_directory
from keras_roberta.files.output_checks import is_empty
from keras_roberta.tokenizers import byte_buffer
from keras_roberta.unknown_arguments import refuse_misspelt

_GRAPH = "saved_model.pb"
_WARM_UP_OPTIONS = 4  # of a question, as most data sets have


def to_saved_model(
    task: keras.Model,
    directory: str | os.PathLike,
    inputs: str = "text",
    *,
    quantization: str = "none",
    pairs: bool = False,
    warmup_batch_sizes: Sequence[int] = (1, 8, 32),
    warmup_lengths: Sequence[int] = (32, 128),
    jit_compile: bool = False,
    overwrite: bool = False,
    license: str | None = None,
    **head_options: Any,
) -> str | os.PathLike:
    """Writes a task as a SavedModel of TensorFlow's own operations.

    Nobody needs Keras or a tokenizer to run it. The model is loaded and compared with the task
    before the directory appears.

    - The signature `serving_default` takes `text`, strings (batch), and with `pairs` also
      `text_pair`. Texts are tokenised as on the host, cut to the preprocessor's `sequence_length`
      and padded to the longest of their batch. Where a task's rows are questions with options, it
      takes `question`, strings (batch), and `choices`, strings (batch, options) instead, of which
      empty ones are not there.
    - The signature `tokens` takes `token_ids` and `padding_mask`, int32 (batch, length) of any
      sizes. Padding may be in front of, between or behind the tokens.
    - Both give the outputs of the task by name; see its schema. Beside a label there is its name as
      a string, and for text there may be more, such as the spelling of tokens. Where there are
      outputs for each token, `num_tokens`, int32 (batch), is how many tokens the row had before it
      was cut: more than `sequence_length` where it was.
    - Assets are `labels.txt`, one label a line, and `keras_roberta.json`; see `read_metadata`.
    - Requests with which TF Serving warms up are where it looks for them.

    Args:
        task: a task with a head that can be exported.
        directory: where to write, new or empty; for TF Serving a version, such as
            `models/sentiment/1`.
        inputs: "text"; or "tokens", which leaves the tokenizer out and makes `serving_default` the
            same as `tokens`.
        quantization: how matrices are stored, the name of a scheme of
            `export.saved_model_quantization.SAVED_MODEL_SCHEMES`, whose `summary` says what it
            does: "none", "bfloat16", "float16", "int8" or one that you added. All but "none" take
            less memory, and as much time as "none" or more; see docs/guides/server.md.
        pairs: whether `serving_default` takes pairs of texts, as it does where the task always
            does.
        warmup_batch_sizes: numbers of rows of the warm-up requests.
        warmup_lengths: numbers of tokens of the warm-up requests; there is one request for each
            number of rows and each length.
        jit_compile: compile the encoder with XLA. Each new pair of batch size and length is then
            compiled when it first comes. This is for servers that see few of them, all among the
            warm-up requests.
        overwrite: replace the SavedModel that is there. Other files are never replaced.
        license: under which the model may be used, such as its SPDX identifier; for the metadata.
        **head_options: options of the task. A masked language model has `top_k`, the candidates for
            each mask.

    Returns:
        `directory`

    Raises:
        InputError: the directory has files, or an argument or the task is not supported.
        ExportMismatch: the model's answers differ from the task's by more than the quantisation may
            cost. Nothing is written.
    """
    refuse_misspelt(to_saved_model, head_options, getattr(task, "export_options", ()))
    for name in OF_TFLITE:
        if name in head_options:
            raise InputError(
                f"to_saved_model has no argument {name!r}: a SavedModel takes texts of any length, "
                "and its schemes of quantization need no sample texts"
            )
    check_choice("quantization", quantization, SAVED_MODEL_SCHEMES)
    scheme = SAVED_MODEL_SCHEMES[quantization]
    lengths = check_lengths(warmup_lengths, name="warmup_lengths")
    batch_sizes = check_lengths(warmup_batch_sizes, name="warmup_batch_sizes", shortest=1)
    pairs = takes_pairs(task, inputs, pairs)
    directory = pathlib.Path(directory).expanduser()
    if not is_empty(directory):
        if not overwrite:
            raise InputError(
                f"{directory}: exists; choose a new version directory or give overwrite=True"
            )
        if not (directory / _GRAPH).is_file():
            raise InputError(f"{directory}: is something else than a SavedModel; remove it first")
    module = ServingModule(
        task,
        scheme=scheme,
        inputs=inputs,
        pairs=pairs,
        jit_compile=jit_compile,
        head_options=head_options,
    )
    values = metadata.describe(
        task,
        module.graph.head,
        quantization=quantization,
        inputs=inputs,
        pairs=pairs,
        license=license,
    )
    with atomic_directory(directory, last=_GRAPH, replaces=["**/*"]) as temporary:
        module.save(temporary, values)
        write_warmup_requests(temporary, module.warmup_requests(batch_sizes, lengths))
        runner = SavedModelRunner(temporary)
        exact = TaskGraph(task, head_options) if scheme.pack else module.graph
        verify(task, runner, graph=exact, scheme=scheme)
        if inputs == "text" and runner.schema.takes_options:
            check_options(runner)
    return directory


class ServingModule(tf.Module):
    """The graph with its tokenizer, its signatures and its assets.

    Args:
        scheme: `SavedModelScheme`
        task, inputs, pairs, jit_compile, head_options: see `to_saved_model`.
    """

    def __init__(
        self,
        task,
        *,
        scheme=SAVED_MODEL_SCHEMES["none"],
        inputs="text",
        pairs=False,
        jit_compile=False,
        head_options=None,
    ):
        super().__init__(name="serving")
        packed = functools.partial(PackedGraph, pack=scheme.pack)
        self.graph = TaskGraph(task, head_options, packed if scheme.pack else EdgeGraph)
        check_inputs(task, inputs, pairs)
        if jit_compile and self.graph.head.any_number_of_outputs:
            raise InputError(
                "jit_compile: XLA cannot compile where the number of outputs depends on the text"
            )
        self.answer = tf.function(self.graph.__call__, jit_compile=jit_compile, autograph=False)
        self.longest = task.backbone.config.max_sequence_length
        ids = tf.TensorSpec((None, None), tf.int32)
        self.tokens = tf.function(self.serve_tokens, autograph=False).get_concrete_function(
            token_ids=ids, padding_mask=ids
        )
        self.functions = {"tokens": self.tokens, "serving_default": self.tokens}
        self.shapes = {}  # of the texts that `serving_default` takes
        if inputs == "text":
            tokenizer = task.preprocessor.tokenizer
            self.tokenizer = check_in_graph(tokenizer, tokenizer.batched_in_graph())
            self.longest = task.preprocessor.sequence_length
            self.shapes = {"text": (None,), "text_pair": (None,)} if pairs else {"text": (None,)}
            serve = self.serve_text
            if self.graph.head.schema.takes_options:
                self.shapes = {"question": (None,), "choices": (None, None)}
                serve = self.serve_options
            self.functions["serving_default"] = tf.function(
                serve, autograph=False
            ).get_concrete_function(
                **{name: tf.TensorSpec(shape, tf.string) for name, shape in self.shapes.items()}
            )
            if self.graph.head.schema.stride is not None:
                self.functions[TOKENIZE] = tf.function(
                    self.tokenize, autograph=False
                ).get_concrete_function(text=tf.TensorSpec((None,), tf.string))

    def serve_text(self, text, text_pair=None):
        with_offsets = self.graph.head.gives_offsets
        if self.graph.head.schema.prefix:
            text = tf.strings.join([byte_buffer.encode(self.graph.head.schema.prefix), text])
        # With outputs for each token one has to know where padding begins.
        with_num_tokens = bool(self.graph.head.schema.ragged_outputs)
        features = self.tokenizer(text, text_pair, self.longest, with_offsets, with_num_tokens)
        outputs = self.serve_tokens(features["token_ids"], features["padding_mask"])
        if with_num_tokens:
            outputs = {**outputs, "num_tokens": features["num_tokens"]}
        if with_offsets:
            outputs = {**outputs, "offsets": features["offsets"]}
            outputs |= self.graph.head.as_places(
                features["offsets"], **{name: outputs[name] for name in self.graph.head.placed}
            )
        outputs |= self.graph.head.as_quotes(outputs, text, text_pair)
        return outputs | self.graph.head.as_strings(outputs, features["token_ids"], self.tokenizer)

    def tokenize(self, text):
        """All tokens of texts of any length, for windows: ids, mask and offsets."""
        return self.tokenizer(text, max_length=None, with_offsets=True)

    def serve_options(self, question, choices):
        firsts, seconds = tf.repeat(question, tf.shape(choices)[1]), tf.reshape(choices, [-1])
        features = self.tokenizer(firsts, seconds, max_length=self.longest)
        outputs = self.answer(features["token_ids"], features["padding_mask"])
        return self.graph.head.of_options(outputs, choices)

    def serve_tokens(self, token_ids, padding_mask):
        outputs = self.answer(token_ids, padding_mask)
        return outputs | self.graph.head.as_names(outputs)  # strings, which XLA has none of

    def warmup_requests(self, batch_sizes, lengths):
        """Signatures and inputs, see `write_warmup_requests`."""
        for length in sorted({min(length, self.longest) for length in lengths}):
            for batch_size in batch_sizes:
                ids = tf.ones((batch_size, length), tf.int32)
                yield "tokens", {"token_ids": ids, "padding_mask": ids}
                if self.shapes:
                    # " a" is one token of nearly every vocabulary, and never less.
                    text = " a" * max(length // len(self.shapes) - 2, 1)
                    sizes = (batch_size, _WARM_UP_OPTIONS)
                    yield (
                        "serving_default",
                        {n: tf.fill(sizes[: len(shape)], text) for n, shape in self.shapes.items()},
                    )

    def save(self, directory, values):
        """Writes the SavedModel.

        Args:
            directory: a path; it may exist.
            values: the metadata, from `metadata.describe`.
        """
        assets = {
            "labels.txt": "".join(map(_as_line, values["labels"])),
            f"{metadata.NAME}.json": json.dumps(values, indent=2),
        }
        source = directory / "source"
        source.mkdir()
        for name, content in assets.items():
            (source / name).write_text(content, encoding="utf-8")
        self.assets = [tf.saved_model.Asset(str(source / name)) for name in assets]
        tf.saved_model.save(self, str(directory), signatures=self.functions)
        shutil.rmtree(source)  # saving copied them to `assets`


def _as_line(label):
    """A label as a line of a file, without surrogates and ends of lines of its own."""
    return " ".join(byte_buffer.encode(label).decode().splitlines()) + "\n"
