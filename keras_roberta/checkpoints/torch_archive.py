"""Writes the zip archives of `torch.save` without PyTorch, for `torch.load` to read.

The layout is that of torch/serialization.py since PyTorch 1.6: `NAME/data.pkl`, a pickle of
protocol 2 in which each tensor names its storage; `NAME/data/KEY`, the raw storages; and two short
texts, `byteorder` and `version`. No entry is compressed, and each begins at a multiple of 64 bytes,
so that a reader may map the file into memory.
"""

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_roberta.files.atomic_write import atomic_file

_ROOT = "archive"
_ALIGNMENT = 64  # bytes
_PADDING = b"FB"  # the id of the extra field in which PyTorch puts its own padding
_LOCAL_HEADER = 30  # bytes, before name and extra field
_CHUNK = 1 << 24  # bytes


def write_torch_file(path: str | os.PathLike, content: Mapping[str, Any]) -> None:
    """Writes what `torch.load` gives back, to a file that appears whole or not at all.

    Args:
        path: the file.
        content: nested dicts, lists, numbers, strings, `argparse.Namespace`s, and numpy arrays of
            float32, which become tensors. One array under two names becomes one storage, as a
            tensor that two layers share.
    """
    buffer = io.BytesIO()
    pickler = _TensorPickler(buffer)
    pickler.dump(content)
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        _write(archive, "data.pkl", buffer.getvalue())
        _write(archive, "byteorder", b"little")
        for key, array in enumerate(pickler.storages):
            _write(archive, f"data/{key}", np.ascontiguousarray(array, "<f4").reshape(-1).data)
        _write(archive, "version", b"3\n")


def _write(archive, name, data) -> None:
    data = memoryview(data).cast("B")
    entry = zipfile.ZipInfo(f"{_ROOT}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
    entry.file_size = len(data)
    # More than 32 bits can count takes another field of 20 bytes in the header.
    is_large = len(data) >= zipfile.ZIP64_LIMIT
    header = _LOCAL_HEADER + len(entry.filename) + (20 if is_large else 0) + 4
    padding = -(archive.fp.tell() + header) % _ALIGNMENT
    entry.extra = _PADDING + padding.to_bytes(2, "little") + b"Z" * padding
    with archive.open(entry, "w", force_zip64=is_large) as file:
        for start in range(0, len(data), _CHUNK):
            file.write(data[start : start + _CHUNK])


class _Name:
    """A function or class of a module that is not imported here."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name

    def __call__(self, *_):
        """Which `save_reduce` wants of what it is to call."""
        raise TypeError(f"{self.module}.{self.name} is a name only")


class _Storage(NamedTuple):
    key: int
    size: int  # in elements


_REBUILD = _Name("torch._utils", "_rebuild_tensor_v2")
_FLOAT_STORAGE = _Name("torch", "FloatStorage")


class _TensorPickler(pickle._Pickler):
    """A pickler that writes arrays as PyTorch writes tensors.

    The one of Python's two that is written in Python: the other looks every function up that it
    names.

    Attributes:
        storages: the arrays whose numbers the pickle refers to by their place in it.
    """

    dispatch = pickle._Pickler.dispatch.copy()

    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.storages: list[np.ndarray] = []
        self._keys: dict[int, int] = {}  # id of an array -> its key

    def persistent_id(self, obj):
        if isinstance(obj, _Storage):
            return ("storage", _FLOAT_STORAGE, str(obj.key), "cpu", obj.size)
        return None

    def save_array(self, array):
        if array.dtype != np.float32:
            raise TypeError(f"an array of {array.dtype}")
        if id(array) not in self._keys:
            self._keys[id(array)] = len(self.storages)
            self.storages.append(array)
        storage = _Storage(self._keys[id(array)], array.size)
        strides = tuple(int(np.prod(array.shape[axis + 1 :])) for axis in range(array.ndim))
        # Offset, then whether it needs gradients, and hooks.
        arguments = (storage, 0, array.shape, strides, False, OrderedDict())
        self.save_reduce(_REBUILD, arguments)

    def save_name(self, obj):
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())

    dispatch |= {np.ndarray: save_array, _Name: save_name}
