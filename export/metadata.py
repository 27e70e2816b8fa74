"""What an exported file says about itself: labels, special ids, lengths.

In a `.tflite` it is JSON in the metadata buffer "keras_roberta"; in a SavedModel the asset
`keras_roberta.json`.
"""

import json
import pathlib
import struct

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.errors import InputError

NAME = "keras_roberta"
FORMAT_VERSION = 2
TFLITE_IDENTIFIER = b"TFL3"  # at byte 4, from the schema's file_identifier


def describe(
    task, answers, quantization, sequence_lengths, inputs="tokens", pairs=False, num_bytes=None
):
    """The metadata of an exported task.

    Args:
        answers: what they are, the `metadata` of its graph.
        sequence_lengths: ascending list, or None where any length is taken.
        inputs, pairs, num_bytes: see `read_metadata`.

    Returns:
        dict of plain values, see `read_metadata`.
    """
    config = task.backbone.config
    tokenizer = getattr(task.preprocessor, "tokenizer", None)
    longest = config.max_sequence_length
    if inputs == "text":
        longest = task.preprocessor.sequence_length
    return {
        "format_version": FORMAT_VERSION,
        "task": type(task).__name__,
        **answers,
        "quantization": quantization,
        "sequence_lengths": sequence_lengths,
        "max_sequence_length": max(sequence_lengths or [longest]),
        "inputs": inputs,
        "pairs": pairs,
        "num_bytes": num_bytes,
        "start_token_id": config.start_token_id,
        "pad_token_id": config.pad_token_id,
        "end_token_id": config.end_token_id,
        "tokenizer_fingerprint": tokenizer and tokenizer.fingerprint,
    }


def read_metadata(path):
    """What an exported file says about itself.

    Args:
        path: a `.tflite` file or a SavedModel directory that this package wrote.

    Returns:
        dict of `format_version`, `task`, `num_classes`, `labels`, `quantization`,
        `sequence_lengths` (None: any), `max_sequence_length`, `inputs` ("text": the tokenizer is in
        the file; or "tokens"), `pairs` (whether it takes two texts a row), `num_bytes` (of the
        buffers for texts in a `.tflite`, one number for each of the lengths, else None),
        `start_token_id`, `pad_token_id`, `end_token_id` and `tokenizer_fingerprint` (None:
        exported without a tokenizer). A `RobertaMaskedLM` has no classes (None) and no labels, but
        `top_k`, candidates a mask, `max_masks`, masks of a text that are answered (None: all), and
        `mask_token_id`.

    Raises:
        InputError: no such file, not a model, cut short, or not from this package.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return _parse(_asset(path), path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    content = np.memmap(path, np.uint8, "r") if path.stat().st_size else b""
    if bytes(content[4:8]) != TFLITE_IDENTIFIER:
        raise InputError(f"{path}: is not a TFLite model")
    try:
        buffers, metadata = _buffers(content)
    except (struct.error, IndexError, TypeError, ValueError):
        raise InputError(f"{path}: is cut short or damaged; export or copy it again") from None
    if NAME not in metadata:
        raise InputError(f"{path}: is a TFLite model, but not one that keras_roberta exported")
    return _parse(buffers[metadata[NAME]].tobytes(), path)


def add_metadata(model, values):
    """Puts the metadata into a TFLite model, a `schema.ModelT`."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(json.dumps(values).encode(), np.uint8)
    entry = schema.MetadataT(NAME, len(model.buffers))
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]


def _buffers(content):
    """All buffers of a model file, each checked to lie within it, and the metadata's numbers."""
    model = schema.Model.GetRootAs(content)
    buffers = []
    for i in range(model.BuffersLength()):
        buffer = model.Buffers(i)
        data = buffer.DataAsNumpy() if buffer.DataLength() else np.empty(0, np.uint8)
        if len(data) != buffer.DataLength():
            raise ValueError("buffer runs past the end")
        buffers.append(data)
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    return buffers, {entry.Name().decode(): entry.Buffer() for entry in entries}


def _asset(directory):
    if not (directory / "saved_model.pb").exists():
        raise InputError(f"{directory}: holds no saved_model.pb")
    try:
        return (directory / "assets" / f"{NAME}.json").read_bytes()
    except OSError:
        raise InputError(
            f"{directory}: is a SavedModel, but not one that keras_roberta exported"
        ) from None


def _parse(content, path):
    try:
        values = json.loads(content)
        version = values["format_version"]
    except (ValueError, TypeError, KeyError):
        raise InputError(f"{path}: its metadata is damaged; export it again") from None
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path}: has format {version}, this version reads {FORMAT_VERSION}; "
            "export it again or update keras_roberta"
        )
    return values
