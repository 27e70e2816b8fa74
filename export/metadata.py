"""What an exported file says about itself: what its answers mean, special ids, lengths.

In a `.tflite` it is JSON in the metadata buffer "keras_roberta"; in a SavedModel the asset
`keras_roberta.json`.
"""

import json
import pathlib
import struct

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.errors import InputError
from keras_roberta.export.metadata_kinds import FORMAT_2, METADATA, contradiction
from keras_roberta.export.packed_model import TFLITE_IDENTIFIER
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_file import LARGEST, JsonError, parse_json
from keras_roberta.files.json_kinds import short
from keras_roberta.files.regular_file import check_regular, read_regular
from keras_roberta.files.replacing import finish_replacing
from keras_roberta.schemas import schema_from_format_2

NAME = "keras_roberta"
FORMAT_VERSION = 3
_KEYS = (
    *("format_version", "task", "schema", "labels", "quantization", "sequence_lengths"),
    *("max_sequence_length", "inputs", "pairs", "num_bytes", "ids_output", "start_token_id"),
    *("pad_token_id", "end_token_id", "tokenizer_fingerprint"),
)
# What files of earlier versions do not say.
_OF_LATER_FILES = ("vocabulary_size", "made_with", "weights_sha256", "license", "measured")
_RUNTIME = "min_runtime_version"  # TFLite's own entry, a text with NULs behind


def describe(
    task,
    head,
    *,
    quantization,
    sequence_lengths=None,
    inputs="tokens",
    pairs=False,
    num_bytes=None,
    ids_output=None,
    license=None,
):
    """The metadata of an exported task.

    Args:
        head: its `ExportedHead`.
        sequence_lengths: ascending list, or None where any length is taken.
        quantization, inputs, pairs, num_bytes, ids_output, license: see `read_metadata`.

    Raises:
        InputError: the licence is no text.

    Returns:
        dict of plain values, see `read_metadata`.
    """
    from keras_roberta.export.provenance import provenance  # it imports Keras

    if license is not None and (not isinstance(license, str) or not license.strip()):
        raise InputError(f"license: expected a name such as apache-2.0; got {license!r}")
    config = task.backbone.config
    tokenizer = getattr(task.preprocessor, "tokenizer", None)
    longest = config.max_sequence_length
    if inputs == "text":
        longest = task.preprocessor.sequence_length
    return {
        "format_version": FORMAT_VERSION,
        "task": type(task).__name__,
        "schema": head.schema.to_dict(),
        "labels": list(head.schema.label_names),
        "quantization": quantization,
        "sequence_lengths": sequence_lengths,
        "max_sequence_length": max(sequence_lengths or [longest]),
        "inputs": inputs,
        "pairs": pairs,
        "num_bytes": num_bytes,
        "ids_output": ids_output,
        "vocabulary_size": config.vocabulary_size,
        "start_token_id": (tokenizer or config).start_token_id,
        "pad_token_id": config.pad_token_id,
        "end_token_id": (tokenizer or config).end_token_id,
        "tokenizer_fingerprint": tokenizer and tokenizer.fingerprint,
        "license": license,
        **provenance(task),
    }


def read_metadata(path):
    """What an exported file says about itself.

    Args:
        path: a `.tflite` file or a SavedModel directory that this package wrote.

    Returns:
        dict of `format_version` (3: metadata of format 2 is brought into this form), `task` (the
        name of its class), `schema` (what the answers mean, see `keras_roberta.schemas`), `labels`
        (names of the classes in the order of their numbers), `quantization`, `sequence_lengths`
        (None: any), `max_sequence_length`, `inputs` ("text": the tokenizer is in the file; or
        "tokens"), `pairs` (whether it takes two texts a row), `num_bytes` (of the buffers for texts
        in a `.tflite`, one number for each of the lengths, else None), `ids_output` (the output
        that tells the ids of a text, or None), `vocabulary_size` (rows of the token embedding; None
        in files of earlier versions, which do not say), `start_token_id`, `pad_token_id`,
        `end_token_id`, `tokenizer_fingerprint` (None: exported without a tokenizer), `made_with`,
        `weights_sha256` (see `provenance`), `license` (as it was given), `measured` (dict of
        `data`, `rows` and `scores`) and `min_runtime_version` (the oldest TFLite that has the
        operations of a `.tflite`, such as "2.12.0"). The last five are None where a file does not
        say.

    Raises:
        InputError: no such file, not a model, cut short, or not from this package.
    """
    path = pathlib.Path(path).expanduser()
    if path.is_dir():
        finish_replacing(path)
        return {**_parse(_asset(path), path), _RUNTIME: None}
    size = check_regular(path)
    content = np.memmap(path, np.uint8, "r") if size else b""
    if bytes(content[4:8]) != TFLITE_IDENTIFIER:
        raise InputError(f"{path}: is not a TFLite model")
    try:
        buffers, metadata = _buffers(content)
        own = buffers[metadata[NAME]].tobytes() if NAME in metadata else None
        runtime = buffers[metadata[_RUNTIME]].tobytes() if _RUNTIME in metadata else b""
        runtime = runtime.rstrip(b"\0").decode() or None
    except (struct.error, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        raise InputError(f"{path}: is cut short or damaged; export or copy it again") from None
    if own is None:
        raise InputError(f"{path}: is a TFLite model, but not one that keras_roberta exported")
    return {**_parse(own, path), _RUNTIME: runtime}


def add_metadata(model, values, min_runtime_version=None):
    """Puts the metadata into a TFLite model, a `schema.ModelT`.

    Args:
        values: see `describe`.
        min_runtime_version: in place of the converter's; None leaves that.
    """
    contents = {NAME: json.dumps(values).encode()}
    if min_runtime_version is not None:
        contents[_RUNTIME] = min_runtime_version.encode()
    entries = [entry for entry in model.metadata or [] if entry.name.decode() not in contents]
    for name, content in contents.items():
        entries.append(schema.MetadataT(name, len(model.buffers)))
        model.buffers.append(schema.BufferT(np.frombuffer(content, np.uint8)))
    model.metadata = entries


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
    path = directory / "assets" / f"{NAME}.json"
    if not path.exists():
        raise InputError(f"{directory}: is a SavedModel, but not one that keras_roberta exported")
    return read_regular(path, at_most=LARGEST)


def _parse(content, path):
    try:
        values = parse_json(content)
        version = values["format_version"]
    except (JsonError, TypeError, KeyError):
        raise InputError(f"{path}: its metadata is damaged; export it again") from None
    if version not in (2, FORMAT_VERSION):
        raise InputError(
            f"{path}: has format {short(version)}, this version reads 2 and {FORMAT_VERSION}; "
            "export it again or update keras_roberta"
        )
    try:
        values = _from_format_2(values) if version == 2 else values
        missing = [key for key in _KEYS if key not in values]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: its metadata is damaged ({reason_of(error)}); export it again"
        ) from None
    if missing:
        raise InputError(f"{path}: its metadata is damaged (no {missing[0]}); export it again")
    values = {**dict.fromkeys(_OF_LATER_FILES), **values}
    if problem := METADATA.problem(values) or contradiction(values):
        raise InputError(f"{path}: its metadata is damaged ({problem}); export it again")
    return values


def _from_format_2(values):
    """Metadata of a file that was written before schemas were kept in it."""
    if problem := FORMAT_2.problem(values):
        raise InputError(problem)
    schema_of_file = schema_from_format_2(values)
    of_task = ("num_classes", "labels", "mask_token_id", "top_k", "max_masks")
    kept = {name: value for name, value in values.items() if name not in of_task}
    is_tflite_for_text = values["inputs"] == "text" and values["num_bytes"] is not None
    ids_output = "input_ids" if values["num_classes"] is None else "token_ids"
    return {
        **kept,
        "format_version": FORMAT_VERSION,
        "schema": parse_json(json.dumps(schema_of_file.to_dict())),
        "labels": list(schema_of_file.label_names),
        "ids_output": ids_output if is_tflite_for_text else None,
    }
