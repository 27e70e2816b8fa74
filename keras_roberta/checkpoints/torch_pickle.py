"""Reads PyTorch's `.bin` and `.pt` files without PyTorch and without running what they contain.

A pickle is a program, and Python's `pickle` runs whatever function it names. This module instead
interprets the handful of opcodes that a state dict needs and can make dicts, lists, numbers and
views of tensors; a pickle that wants anything else is refused by the name of what it wants.

Two layouts (torch/serialization.py):

- since PyTorch 1.6 a zip archive: `NAME/data.pkl`, the pickle, and `NAME/data/KEY`, the raw
  storages, none compressed;
- before, one after the other: three pickles (a magic number, the protocol, the machine's sizes),
  the pickle itself, a pickle with the list of storage keys, and for each key a 64-bit element
  count and the raw storage.
"""

import dataclasses
import io
import math
import mmap
import os
import pathlib
import pickletools
import zipfile
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

from keras_roberta.errors import InputError

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
_TENSOR = "torch._utils._rebuild_tensor_v2"
_PARAMETER = "torch._utils._rebuild_parameter"
_ORDERED_DICT = "collections.OrderedDict"
_NAMESPACE = "argparse.Namespace"  # fairseq keeps its options in one
_ALLOWED = {_TENSOR, _PARAMETER, _ORDERED_DICT, _NAMESPACE} | {f"torch.{s}" for s in _STORAGES}
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001


@dataclasses.dataclass(frozen=True)
class TensorView:
    """Where a tensor lies in a file, and `read` to fetch it.

    Attributes:
        path, start: the file, and the byte in it where the tensor's first element lies.
        dtype, shape: as stored.
        strides: in elements; None for rows one after the other.
        name: for the error message.
    """

    path: pathlib.Path
    start: int
    dtype: np.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None
    name: str = "a tensor"

    def read(self) -> np.ndarray:
        """The tensor as an array of its own, in rows; only its bytes are read."""
        strides = row_strides(self.shape) if self.strides is None else self.strides
        size = _span(self.shape, strides)
        try:
            flat = np.fromfile(self.path, self.dtype, size, offset=self.start)
            if flat.size != size:
                raise InputError(f"{self.path}: cut short within {self.name}; download it again")
            if strides == row_strides(self.shape):
                return flat.reshape(self.shape)
            in_bytes = [stride * self.dtype.itemsize for stride in strides]
            return np.lib.stride_tricks.as_strided(flat, self.shape, in_bytes).copy(order="C")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror})") from None
        except OverflowError:
            raise InputError(f"{self.path}: {self.name} has an impossible shape") from None


def row_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in elements, of an array in rows.

    >>> row_strides((2, 3, 4))
    (12, 4, 1)
    """
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _span(shape, strides) -> int:
    """How many elements lie from a tensor's first to its last, both counted."""
    if 0 in shape:
        return 0
    return 1 + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))


def read_torch_file(path: str | os.PathLike) -> Any:
    """What a file of `torch.save` holds: dicts, lists, numbers, strings and `TensorView`s.

    Raises:
        InputError: the file is cut short or not PyTorch's, or its pickle wants anything but
            tensors; the message names what.
    """
    path = pathlib.Path(path)
    try:
        with open(path, "rb") as file:
            if file.read(4) == b"PK\3\4":
                return _read_zip(path, file)
            file.seek(0)
            return _read_legacy(path, file)
    except _Mangled as error:
        raise InputError(
            f"{path}: not a PyTorch file, or cut short ({error}); download it again"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


class _Mangled(Exception):
    """The file breaks its format."""


@dataclasses.dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype
    size: int  # in elements


@dataclasses.dataclass(frozen=True)
class _Tensor:
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
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise _Mangled(error) from None
    pickles = [name for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise _Mangled("the archive has no data.pkl")
    root = pickles[0].removesuffix("data.pkl")

    def contents(name: str) -> tuple[int, int]:
        """First byte and size of an entry."""
        if name not in entries:
            raise _Mangled(f"the archive lacks {name}")
        entry = entries[name]
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise _Mangled(f"{name} is compressed")
        # The local header repeats name and extra field; only there does the padding's size stand.
        file.seek(entry.header_offset)
        header = file.read(30)
        if len(header) != 30 or header[:4] != b"PK\3\4":
            raise _Mangled(f"{name} has no header")
        start = entry.header_offset + 30
        start += int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        if start + entry.file_size > os.fstat(file.fileno()).st_size:
            raise _Mangled(f"{name} lies beyond the end")
        return start, entry.file_size

    def read(name: str) -> bytes:
        start, size = contents(name)
        file.seek(start)
        return file.read(size)

    if f"{root}byteorder" in entries and read(f"{root}byteorder") != b"little":
        raise InputError(f"{path}: written on a big-endian machine; convert it to safetensors")
    content = _Interpreter(path, io.BytesIO(read(pickles[0]))).run()

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
        run = lambda: _Interpreter(path, mapped).run()  # noqa: E731
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
    return {tensor.storage.key: tensor.storage for tensor in _tensors(content)}


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


@dataclasses.dataclass(frozen=True)
class _Global:
    """A name that the pickle looked up. It stands for the thing and cannot be called."""

    name: str


class _Namespace(dict):
    """An `argparse.Namespace` as a dict."""


class _Interpreter:
    """Runs one pickle: a stack machine whose only values are data.

    The opcodes are those of `pickletools.opcodes`, where each is described; this class lists the
    ones that PyTorch writes with pickle protocols 2 to 5. Nothing here hashes, compares or prints
    a container: a few bytes can nest one so that any of these takes for ever.
    """

    def __init__(self, path: pathlib.Path, file: BinaryIO):
        self._path = path
        self._file = file

    def run(self) -> Any:
        stack: list[Any] = []
        marks: list[int] = []
        memo: dict[int, Any] = {}

        def pop_to_mark() -> list[Any]:
            start = marks.pop()
            items = stack[start:]
            del stack[start:]
            return items

        def set_items(pairs: list[Any]) -> None:
            target = self._expect(stack[-1], dict)
            for key, value in zip(pairs[::2], pairs[1::2], strict=True):
                target[self._key(key)] = value

        try:
            for opcode, arg, _ in pickletools.genops(self._file):
                match opcode.name:
                    case "PROTO" | "FRAME":
                        pass
                    case "STOP":
                        return stack.pop()
                    case "NONE":
                        stack.append(None)
                    case "NEWTRUE" | "NEWFALSE":
                        stack.append(opcode.name == "NEWTRUE")
                    case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
                        stack.append(arg)
                    case "BINUNICODE" | "SHORT_BINUNICODE" | "BINBYTES" | "SHORT_BINBYTES":
                        stack.append(arg)
                    case "EMPTY_DICT":
                        stack.append({})
                    case "EMPTY_LIST":
                        stack.append([])
                    case "EMPTY_TUPLE":
                        stack.append(())
                    case "MARK":
                        marks.append(len(stack))
                    case "TUPLE":
                        stack.append(tuple(pop_to_mark()))
                    case "TUPLE1" | "TUPLE2" | "TUPLE3":
                        size = int(opcode.name[-1])
                        if len(stack) < size:
                            raise IndexError("stack underflow")
                        stack[-size:] = [tuple(stack[-size:])]
                    case "APPEND":
                        item = stack.pop()
                        self._expect(stack[-1], list).append(item)
                    case "APPENDS":
                        items = pop_to_mark()
                        self._expect(stack[-1], list).extend(items)
                    case "SETITEM":
                        value, key = stack.pop(), stack.pop()
                        set_items([key, value])
                    case "SETITEMS":
                        set_items(pop_to_mark())
                    case "BINPUT" | "LONG_BINPUT":
                        memo[arg] = stack[-1]
                    case "MEMOIZE":
                        memo[len(memo)] = stack[-1]
                    case "BINGET" | "LONG_BINGET":
                        stack.append(memo[arg])
                    case "GLOBAL" | "INST":
                        stack.append(self._global(arg.replace(" ", ".", 1)))
                    case "STACK_GLOBAL":
                        name, module = stack.pop(), stack.pop()
                        module, name = self._expect(module, str), self._expect(name, str)
                        stack.append(self._global(f"{module}.{name}"))
                    case "BINPERSID":
                        stack.append(self._storage(stack.pop()))
                    case "REDUCE":
                        arguments, function = stack.pop(), stack.pop()
                        stack.append(self._reduce(function, arguments))
                    case "NEWOBJ":
                        arguments, cls = stack.pop(), stack.pop()
                        if cls != _Global(_NAMESPACE) or arguments != ():
                            raise ValueError("an object of an unknown class")
                        stack.append(_Namespace())
                    case "BUILD":
                        state = stack.pop()
                        # A state dict's own attributes, _metadata, mean nothing outside PyTorch.
                        if isinstance(self._expect(stack[-1], dict), _Namespace):
                            stack[-1].update(self._expect(state, dict))
                    case name:
                        raise ValueError(f"opcode {name}, which no state dict needs")
        except InputError:
            raise
        except (ArithmeticError, AttributeError, LookupError, MemoryError) as error:
            raise _Mangled(f"its pickle is mangled: {type(error).__name__}") from None
        except (ValueError, TypeError) as error:
            # What pickletools raises on a truncated pickle, and we on a senseless one.
            reason = " ".join(str(error).split())
            raise _Mangled(f"its pickle is mangled: {reason:.200}") from None
        raise _Mangled("its pickle does not end")

    @staticmethod
    def _expect(item: Any, kind: type) -> Any:
        if not isinstance(item, kind):
            raise TypeError(f"a {kind.__name__} expected, found a {type(item).__name__}")
        return item

    @staticmethod
    def _key(item: Any) -> str | int:
        if not isinstance(item, (str, int)):
            raise TypeError(f"a dict with a {type(item).__name__} for a key")
        return item

    def _global(self, name: str) -> _Global:
        if name not in _ALLOWED:
            raise InputError(
                f"{self._path}: contains code ({name}): refusing to load it; get the checkpoint as "
                "safetensors, or convert it where you trust it"
            )
        return _Global(name)

    def _storage(self, key: Any) -> _Storage:
        """("storage", class, key, device, size), before 1.6 with a last None."""
        tag, cls, name, _, size, *views = self._expect(key, tuple)
        dtype = _STORAGES.get(self._expect(cls, _Global).name.removeprefix("torch."))
        if tag != "storage" or dtype is None or type(name) is not str or views not in ([], [None]):
            raise ValueError("a storage of an unknown kind")
        if type(size) is not int or size < 0:
            raise ValueError(f"storage {name} without a proper size")
        return _Storage(name, dtype, size)

    def _reduce(self, function: Any, arguments: Any) -> Any:
        name = self._expect(function, _Global).name
        self._expect(arguments, tuple)
        if name == _ORDERED_DICT:
            pairs = self._expect(arguments[0], list) if arguments else []
            return {self._key(key): value for key, value in pairs}
        if name == _PARAMETER:
            return self._expect(arguments[0], _Tensor)
        if name != _TENSOR:
            raise ValueError(f"a call of {name}")
        storage, offset, shape, strides = arguments[:4]
        self._expect(storage, _Storage)
        numbers = (offset, *self._expect(shape, tuple), *self._expect(strides, tuple))
        if (
            not all(type(n) is int and 0 <= n < 2**48 for n in numbers)
            or len(shape) != len(strides)
            or len(shape) > 32
        ):
            raise ValueError("a tensor without a proper shape")
        if offset + _span(shape, strides) > storage.size:
            raise ValueError(f"a tensor of shape {shape} reaches beyond its storage")
        if math.prod(shape) > storage.size:  # Strides of 0 make terabytes of one number.
            raise ValueError(f"a tensor of shape {shape} repeats its storage")
        return _Tensor(storage, offset, shape, strides)
