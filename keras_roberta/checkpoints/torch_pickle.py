"""Reads PyTorch's `.bin` and `.pt` files without PyTorch and without running what they contain.

A pickle is a program, and Python's `pickle` runs whatever function it names. The unpickler here
finds a few names alone, which stand for functions and classes of this file, and takes only the
opcodes that a state dict needs: it can make dicts, lists, numbers and views of tensors. A pickle
that wants anything else is refused by the name of what it wants.

Two layouts (torch/serialization.py):

- since PyTorch 1.6 a zip archive: `NAME/data.pkl`, the pickle, and `NAME/data/KEY`, the raw
  storages, none compressed;
- before, one after the other: three pickles (a magic number, the protocol, the machine's sizes),
  the pickle itself, a pickle with the list of storage keys, and for each key a 64-bit element
  count and the raw storage.
"""

from __future__ import annotations

import functools
import io
import math
import mmap
import os
import pathlib
import pickle
import pickletools
import struct
import zipfile
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

from keras_roberta.checkpoints.tensor_view import MOST_AXES, TensorView, span
from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.regular_file import open_regular

_STORAGES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, struct.error, LookupError)
_LONGEST_PICKLE = 1 << 24  # bytes; that of a state dict takes a hundred for each tensor


def read_torch_file(path: str | os.PathLike) -> Any:
    """What a file of `torch.save` holds: dicts, lists, numbers, strings and `TensorView`s.

    Raises:
        InputError: the file is cut short or not PyTorch's, or its pickle wants anything but
            tensors; the message names what.
    """
    path = pathlib.Path(path)
    try:
        with open_regular(path) as file:
            if file.read(4) == b"PK\3\4":
                return _read_zip(path, file)
            file.seek(0)
            return _read_legacy(path, file)
    except _Mangled as error:
        raise InputError(
            f"{path}: not a PyTorch file, or cut short ({error}); download it again"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None


class _Mangled(Exception):
    """The file breaks its format."""


# Named tuples, since nothing that a pickle can do changes one.


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    size: int  # in elements


class _Tensor(NamedTuple):
    """A tensor before it is known where its storage lies."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


# The two layouts


def _read_zip(path: pathlib.Path, file: BinaryIO) -> Any:
    try:
        archive = zipfile.ZipFile(file)
        entries = {entry.filename: entry for entry in archive.infolist()}
    except (*_ZIP_ERRORS, ValueError, EOFError, ArithmeticError) as error:
        raise _Mangled(error) from None
    pickles = [name for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise _Mangled("the archive has no data.pkl")
    root = pickles[0].removesuffix("data.pkl")
    size_of_file = os.fstat(file.fileno()).st_size

    def contents(name: str) -> tuple[int, int]:
        """First byte and size of an entry."""
        if name not in entries:
            raise _Mangled(f"the archive lacks {name}")
        entry = entries[name]
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise _Mangled(f"{name} is compressed")
        if not 0 <= entry.header_offset < size_of_file:  # 64 bits are more than `seek` takes
            raise _Mangled(f"{name} lies beyond the end")
        # The local header repeats name and extra field; only there does the padding's size stand.
        file.seek(entry.header_offset)
        header = file.read(30)
        if len(header) != 30 or header[:4] != b"PK\3\4":
            raise _Mangled(f"{name} has no header")
        start = entry.header_offset + 30
        start += int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        if start + entry.file_size > size_of_file:
            raise _Mangled(f"{name} lies beyond the end")
        return start, entry.file_size

    def read(name: str) -> bytes:
        start, size = contents(name)
        file.seek(start)
        return file.read(size)

    if f"{root}byteorder" in entries and read(f"{root}byteorder") != b"little":
        raise InputError(f"{path}: written on a big-endian machine; convert it to safetensors")
    content = _unpickle(path, io.BytesIO(read(pickles[0])))

    def locate(storage: _Storage) -> int:
        start, size = contents(f"{root}data/{storage.key}")
        if size != storage.size * storage.dtype.itemsize:
            raise _Mangled(f"storage {storage.key} has {size} bytes, not {storage.size} elements")
        return start

    return _place(content, path, locate)


def _read_legacy(path: pathlib.Path, file: BinaryIO) -> Any:
    try:
        # A map and not the file: a read of a mangled length stops at the end without a buffer.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:
        raise _Mangled("it is empty") from None
    with mapped:
        run = functools.partial(_unpickle, path, mapped)
        if run() != _LEGACY_MAGIC:
            raise _Mangled("no magic number")
        if run() != _LEGACY_PROTOCOL:
            raise _Mangled("unknown protocol")
        machine = run()
        if not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise InputError(f"{path}: written on a big-endian machine; convert it to safetensors")
        content, keys = run(), run()
        sizes = _storage_sizes(content)
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise _Mangled("no list of storages")
        starts = {}
        for key in keys:
            count = int.from_bytes(mapped.read(8), "little")
            if key not in sizes or sizes[key].size != count:
                raise _Mangled(f"storage {key} has {count} elements, not as announced")
            starts[key] = mapped.tell()
            end = starts[key] + count * sizes[key].dtype.itemsize
            if end > len(mapped):
                raise _Mangled(f"storage {key} lies beyond the end")
            mapped.seek(end)

        def locate(storage: _Storage) -> int:
            if storage.key not in starts:
                raise _Mangled(f"storage {storage.key} is missing")
            return starts[storage.key]

        return _place(content, path, locate)


def _storage_sizes(content: Any) -> dict[str, _Storage]:
    sizes: dict[str, _Storage] = {}
    for tensor in _tensors(content):
        if sizes.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
            raise _Mangled(f"storage {tensor.storage.key:.50} is announced in two ways")
    return sizes


def _tensors(content: Any):
    """All tensors in nested dicts, lists and tuples, which may share parts or hold themselves."""
    waiting, seen = [content], set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Tensor):
            yield item
        elif isinstance(item, (dict, list, tuple)) and id(item) not in seen:
            seen.add(id(item))
            waiting.extend(item.values() if isinstance(item, dict) else item)


def _place(content: Any, path: pathlib.Path, locate) -> Any:
    """Puts a `TensorView` in the place of every tensor, in place where dicts and lists allow it."""
    placed: dict[int, Any] = {}  # Each part once: a small pickle can share parts 2**60 times.

    def place(item: Any) -> Any:
        if id(item) in placed:
            return placed[id(item)]
        if isinstance(item, _Tensor):
            start = locate(item.storage) + item.offset * item.storage.dtype.itemsize
            return TensorView(path, start, item.storage.dtype, item.shape, item.strides)
        if isinstance(item, tuple):
            placed[id(item)] = tuple(map(place, item))
            return placed[id(item)]
        if isinstance(item, (dict, list)):
            placed[id(item)] = item
            for key, value in item.items() if isinstance(item, dict) else enumerate(item):
                item[key] = place(value)
        return item

    try:
        return place(content)
    except RecursionError:
        raise _Mangled("nested too deep") from None


# The pickle


class _Limited:
    """A file of which only so many bytes can be read from here on."""

    def __init__(self, file: BinaryIO, limit: int):
        self._file, self._left = file, limit

    def read(self, size: int) -> bytes:
        return self._counted(self._file.read(size))

    def readline(self) -> bytes:
        return self._counted(self._file.readline())

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"more than {_LONGEST_PICKLE} bytes, which no state dict takes")
        return data


def _unpickle(path: pathlib.Path, file: BinaryIO) -> Any:
    """The content of the pickle that a file goes on with."""
    try:
        return _TensorUnpickler(path, file).load()
    except InputError:
        raise
    except EOFError:
        raise _Mangled("its pickle does not end") from None
    except (ArithmeticError, AttributeError, LookupError, MemoryError, struct.error) as error:
        raise _Mangled(f"its pickle is mangled: {type(error).__name__}") from None
    except (ValueError, TypeError, pickle.UnpicklingError) as error:
        # What `pickle` raises on a truncated pickle, and the functions below on a senseless one.
        raise _Mangled(f"its pickle is mangled: {reason_of(error):.200}") from None


class _Namespace(dict):
    """An object's attributes as a dict: of an `argparse.Namespace`, in which fairseq keeps its
    options, or of one of the meters that it saved with the state of a training in 2019."""

    __slots__ = ()


def _rebuild_tensor(storage, offset, shape, strides, *_) -> _Tensor:
    _expect(storage, _Storage)
    if not len(_expect(shape, tuple)) == len(_expect(strides, tuple)) <= MOST_AXES:
        raise ValueError("a tensor without a proper shape")
    if not all(type(n) is int and 0 <= n < 2**48 for n in (offset, *shape, *strides)):
        raise ValueError("a tensor without a proper shape")
    if offset + span(shape, strides) > storage.size:
        raise ValueError(f"a tensor of shape {shape} reaches beyond its storage")
    if math.prod(shape) > storage.size:  # Strides of 0 make terabytes of one number.
        raise ValueError(f"a tensor of shape {shape} repeats its storage")
    return _Tensor(storage, offset, shape, strides)


def _rebuild_parameter(tensor, *_) -> _Tensor:
    return _expect(tensor, _Tensor)


def _ordered_dict(*pairs) -> dict:
    pairs = _emptied(*pairs, list) if pairs else []
    return {_key(key): value for key, value in pairs}


def _emptied(container: Any, kind: type) -> Any:
    """A list or dict moved into a new one: a few bytes could have it copied over and over."""
    moved = _expect(container, kind).copy()
    container.clear()
    return moved


def _expect(item: Any, kind: type) -> Any:
    # The very type: a list is no stand-in for a class of the same methods.
    if type(item) is not kind:
        raise TypeError(f"a {kind.__name__} expected, found a {type(item).__name__}")
    return item


def _key(item: Any) -> str | int:
    # Hashing a container can take for ever: a few bytes nest a tuple in itself 2**60 times. Large
    # numbers can all have one hash.
    if not isinstance(item, (str, int)):
        raise TypeError(f"a dict with a {type(item).__name__} for a key")
    if isinstance(item, int) and not -(2**31) <= item < 2**31:
        raise ValueError("a dict with a number of more than 32 bits for a key")
    return item


_MOST_ARGUMENTS = 9
# Before 1.5 PyTorch's optimizers kept the state of each parameter under its address, `id(…)`. No
# two numbers below 2**60 have the same hash.
_MOST_ADDRESSES = 10_000
_LARGEST_ADDRESS = 2**60
_CALLABLE = {
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "collections.OrderedDict": _ordered_dict,
}
_FOUND = {
    **_CALLABLE,
    "argparse.Namespace": _Namespace,
    **{f"fairseq.meters.{name}Meter": _Namespace for name in ("Average", "Time", "Stopwatch")},
    # A storage's class is its dtype's name: data, which cannot be called.
    **{f"torch.{name}": name for name in _STORAGES},
    **{f"torch.cuda.{name}": name for name in _STORAGES},
}
# What PyTorch writes with pickle protocols 2 to 5, by the names in `pickletools`.
_OPCODES = """
    PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT
    BINUNICODE SHORT_BINUNICODE BINBYTES SHORT_BINBYTES EMPTY_DICT EMPTY_LIST EMPTY_TUPLE
    TUPLE TUPLE1 TUPLE2 TUPLE3 APPEND APPENDS SETITEM SETITEMS BINPUT LONG_BINPUT MEMOIZE
    BINGET LONG_BINGET GLOBAL STACK_GLOBAL BINPERSID REDUCE NEWOBJ BUILD
""".split()


def _refuse(opcode: str):
    def load(unpickler):
        raise ValueError(f"opcode {opcode}, which no state dict needs")

    return load


class _TensorUnpickler(pickle._Unpickler):
    """An unpickler whose only values are data.

    The one of Python's two that is written in Python, since its opcodes can be taken away and
    replaced. In the other, in C, `find_class` and `persistent_load` are all that can be overridden,
    and a pickle can then still

    - hash a container, as a key, that takes 2**60 steps to go through;
    - set attributes of what `find_class` found, with BUILD;
    - fetch what another module registered with `copyreg`, with EXT1, past `find_class`;
    - ask for gigabytes with one number, in LONG_BINPUT or BYTEARRAY8.
    """

    # Opcode -> method, where `load` looks.
    dispatch = {ord(opcode.code): _refuse(opcode.name) for opcode in pickletools.opcodes}
    dispatch |= {
        ord(opcode.code): pickle._Unpickler.dispatch[ord(opcode.code)]
        for opcode in pickletools.opcodes
        if opcode.name in _OPCODES
    }

    def __init__(self, path: pathlib.Path, file: BinaryIO):
        super().__init__(_Limited(file, _LONGEST_PICKLE))
        self._path = path
        self._addresses_left = _MOST_ADDRESSES

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name; nothing is imported."""
        found = _FOUND.get(f"{module}.{name}")
        if found is None:
            raise InputError(
                f"{self._path}: contains code ({f'{module}.{name}'!r:.200}): refusing to load it; "
                "get the checkpoint as safetensors, or convert it where you trust it"
            )
        return found

    def persistent_load(self, pid: Any) -> _Storage:
        """("storage", class, key, device, size), before 1.6 with a last None."""
        if len(_expect(pid, tuple)) not in (5, 6):
            raise ValueError("a storage of an unknown kind")
        tag, cls, key, _, size, *views = pid
        dtype = _STORAGES.get(_expect(cls, str))
        if tag != "storage" or dtype is None or type(key) is not str or views not in ([], [None]):
            raise ValueError("a storage of an unknown kind")
        if type(size) is not int or size < 0:
            raise ValueError(f"storage {key:.50} without a proper size")
        return _Storage(key, dtype, size)

    # What would call, or change, whatever lies on the stack

    def load_reduce(self):
        arguments, function = _expect(self.stack.pop(), tuple), self.stack.pop()
        if len(arguments) > _MOST_ARGUMENTS:
            raise ValueError(f"a call with {len(arguments)} arguments")
        if not any(function is allowed for allowed in _CALLABLE.values()):
            raise ValueError("a call of what is no function")
        self.append(function(*arguments))

    def load_newobj(self):
        arguments, cls = self.stack.pop(), self.stack.pop()
        if cls is not _Namespace or arguments != ():
            raise ValueError("an object of an unknown class")
        self.append(_Namespace())

    def load_build(self):
        state, item = self.stack.pop(), self.stack[-1]
        if type(item) is _Namespace:
            item.update(_emptied(state, dict))
        else:  # A state dict's own attributes, _metadata, mean nothing outside PyTorch.
            _expect(item, dict)

    def load_append(self):
        item = self.stack.pop()
        _expect(self.stack[-1], list).append(item)

    def load_appends(self):
        items = self.pop_mark()
        _expect(self.stack[-1], list).extend(items)

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        _expect(self.stack[-1], dict)[self._key_or_address(key)] = value

    def load_setitems(self):
        items = self.pop_mark()
        target = _expect(self.stack[-1], dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[self._key_or_address(key)] = value

    def _key_or_address(self, key):
        if type(key) is int and 2**31 <= key < _LARGEST_ADDRESS and self._addresses_left:
            self._addresses_left -= 1
            return key
        return _key(key)

    dispatch |= {
        pickle.REDUCE[0]: load_reduce,
        pickle.NEWOBJ[0]: load_newobj,
        pickle.BUILD[0]: load_build,
        pickle.APPEND[0]: load_append,
        pickle.APPENDS[0]: load_appends,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
    }
