"""Writes safetensors files, a tensor at a time, in one file or in shards with an index.

The index is that of Transformers' `save_pretrained`: `model.safetensors.index.json` with
`{"metadata": {"total_parameters", "total_size"}, "weight_map": {tensor: file}}` beside files named
`model-00001-of-00003.safetensors`. Which tensor goes into which file is as in huggingface_hub's
`split_torch_state_dict_into_shards`: in order, a new file where the next tensor would not fit.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping

import numpy as np

from keras_roberta.checkpoints.tensor_files import DTYPES
from keras_roberta.files.atomic_write import atomic_file

INDEX = "model.safetensors.index.json"
# All names that a saved model's weights may have.
WEIGHT_FILES = ("model.safetensors", INDEX, "model-[0-9]*-of-[0-9]*.safetensors")
MAX_SHARD_SIZE = 5_000_000_000  # bytes
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write_safetensors(path: str | os.PathLike, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes tensors by name to a file that appears whole or not at all.

    Args:
        path: the file.
        tensors: arrays, of which views need not lie in rows: one after the other is laid out as
            it is written.
    """
    entries, end = {}, 0
    # Large elements first, so that each tensor begins at a multiple of its own.
    order = sorted(tensors, key=lambda name: -tensors[name].dtype.itemsize)
    for name in order:
        array, start = tensors[name], end
        end += array.nbytes
        entries[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    # Transformers asks for "pt".
    header = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    header += b" " * (-len(header) % 8)
    with atomic_file(path) as temporary, open(temporary, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for name in order:
            file.write(np.ascontiguousarray(tensors[name]).reshape(-1).view(np.uint8).data)


def write_shards(
    directory: pathlib.Path,
    tensors: Mapping[str, np.ndarray],
    max_shard_size: int = MAX_SHARD_SIZE,
) -> None:
    """Writes `model.safetensors`, or several files and their index where one would be too large.

    Args:
        directory: that is there.
        tensors: see `write_safetensors`.
        max_shard_size: bytes of tensors in a file; a larger tensor has one to itself.
    """
    shards = _divided({name: array.nbytes for name, array in tensors.items()}, max_shard_size)
    if len(shards) == 1:
        write_safetensors(directory / WEIGHT_FILES[0], tensors)
        return
    weight_map = {}
    for number, names in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write_safetensors(directory / file, {name: tensors[name] for name in names})
        weight_map |= dict.fromkeys(names, file)
    totals = {
        "total_parameters": sum(array.size for array in tensors.values()),
        "total_size": sum(array.nbytes for array in tensors.values()),
    }
    text = json.dumps({"metadata": totals, "weight_map": weight_map}, indent=2, sort_keys=True)
    (directory / INDEX).write_text(text + "\n", encoding="utf-8")


def _divided(sizes: Mapping[str, int], most: int) -> list[list[str]]:
    """Names in the groups that make a file each."""
    groups, current, filled = [], [], 0
    for name, size in sizes.items():
        if size > most:
            groups.append([name])
            continue
        if filled + size > most:
            groups.append(current)
            current, filled = [], 0
        current.append(name)
        filled += size
    return [*groups, current] if current else groups
