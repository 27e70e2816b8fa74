"""The tensors of a checkpoint by name, each read from disk when asked for.

Reads `model.safetensors` and `pytorch_model.bin`, whole or in shards, without PyTorch. The
safetensors format: 8 bytes, the length of a JSON header (little-endian); the header, tensor name
to `{"dtype", "shape", "data_offsets"}`; then the data that the offsets count from
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import ml_dtypes
import numpy as np

from keras_roberta.checkpoints.tensor_view import MOST_AXES, TensorView
from keras_roberta.checkpoints.torch_pickle import read_torch_file
from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_file import JsonError, parse_json, read_json_object
from keras_roberta.files.json_kinds import TEXT, ListOf, MapOf, Record, Whole
from keras_roberta.files.regular_file import check_regular, is_file_name, open_regular

DTYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_FLOATS = {DTYPES[name] for name in ("F64", "F32", "F16", "BF16")}
_CONVERT = "load it in Transformers 4 with {}=True, and save_pretrained writes model.safetensors"
_ORIGINAL = "get the model.safetensors that it was made from"
# Weights that are not read -> what to do.
_OTHER_WEIGHTS = {
    "tf_model*.h5": _CONVERT.format("from_tf"),
    "flax_model*.msgpack": _CONVERT.format("from_flax"),
    "adapter_model.*": "merge the adapter into its model (merge_and_unload in PEFT) and save that",
    "*.onnx": f"an ONNX graph does not name its weights; {_ORIGINAL}",
    "onnx/*.onnx": f"an ONNX graph does not name its weights; {_ORIGINAL}",
    "*.gguf": _ORIGINAL,
    "model.pt": "it is fairseq's: without a config.json beside it, it is read as such",
    "*.ckpt*": "save the model in it with Transformers' save_pretrained",
}
_LONGEST_HEADER = 1 << 26  # bytes; the safetensors library takes 100 MB, RoBERTa some kB
_PART = 1 << 20  # numbers of a tensor that are compared at a time
_ENTRY = Record(
    {
        "dtype": TEXT,
        "shape": ListOf(Whole(0), at_most=MOST_AXES),
        "data_offsets": ListOf(Whole(0), at_most=2, at_least=2),
    }
)
_INDEX = Record({"weight_map": MapOf(TEXT)})


class StateDict(Mapping[str, np.ndarray]):
    """Tensor name to array, read at every access and not kept.

    Floating-point tensors of any width come as float32, others as they are stored. The shapes are
    those of the file: a PyTorch `Linear.weight` is (out, in).
    """

    def __init__(self, views: Mapping[str, TensorView]):
        self._views = dict(views)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.read(name, np.dtype(np.float32))

    def read(self, name: str, dtype: np.dtype) -> np.ndarray:
        """A tensor, whose numbers become a dtype if they are floating-point ones."""
        view = self._views[name]
        return view.read(dtype if view.dtype in _FLOATS else None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __contains__(self, name: object) -> bool:
        return name in self._views

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape, from the header alone."""
        return self._views[name].shape

    def renamed(self, names: Mapping[str, str]) -> StateDict:
        """The same tensors by other names.

        Args:
            names: old name to new one, of every tensor.
        """
        return StateDict({names[name]: view for name, view in self._views.items()})

    def divided(self, parts: Mapping[str, Sequence[str]]) -> StateDict:
        """The same tensors, some of which are cut into as many rows each as they get names.

        Args:
            parts: the new names by the old one.

        Raises:
            InputError: the rows of one cannot be shared out evenly.
        """
        views = {}
        for name, view in self._views.items():
            names = parts.get(name, (name,))
            rows, rest = divmod(view.shape[0] if view.shape else 0, len(names))
            if name in parts and (rest or not rows):
                raise InputError(
                    f"{name:.200} has the shape {view.shape}; its rows cannot be divided by "
                    f"{len(names)}"
                )
            for number, part in enumerate(names):
                views[part] = view.rows(number * rows, rows, part) if name in parts else view
        return StateDict(views)

    def at_one_place(self, name: str, other: str) -> bool:
        """Whether two names are of the same bytes, read in the same way."""
        views = (self._views[name], self._views[other])
        first, second = (dataclasses.replace(view, name="") for view in views)
        return first == second

    def same_numbers(self, name: str, other: str) -> bool:
        """Whether two tensors have the same shape and the same numbers, of which a part of each is
        read at a time, up to the first that differs."""
        first, second = self._views[name], self._views[other]
        if first.shape != second.shape:
            return False
        if not first.shape:
            return np.array_equal(self[name], self[other])
        rows = max(1, _PART // max(1, math.prod(first.shape[1:])))
        for start in range(0, first.shape[0], rows):
            count = min(rows, first.shape[0] - start)
            parts = StateDict({n: self._views[n].rows(start, count, n) for n in (name, other)})
            if not np.array_equal(parts[name], parts[other]):
                return False
        return True


def open_state_dict(directory: str | os.PathLike) -> StateDict:
    """Opens the weights in a Hugging Face checkpoint's directory.

    Of several forms the first of these is taken: `model.safetensors`,
    `model.safetensors.index.json`, `pytorch_model.bin`, `pytorch_model.bin.index.json`.

    Raises:
        InputError: none is there, a shard is missing, a file is cut short or mangled, or a
            `.bin` holds anything but tensors. Reading a tensor later raises it too.
    """
    directory = pathlib.Path(directory)
    for name, read in (("model.safetensors", read_safetensors), ("pytorch_model.bin", _read_bin)):
        path = directory / name
        if path.exists():
            return StateDict(read(path))
        index = directory / f"{name}.index.json"
        if index.exists():
            return StateDict(_read_shards(index, read))
    for pattern, advice in _OTHER_WEIGHTS.items():
        found = sorted(path.name for path in directory.glob(pattern))
        if found:
            raise InputError(f"{directory}: the only weights are {found[0]}; {advice}")
    raise InputError(
        f"{directory}: no weights here; expected model.safetensors or pytorch_model.bin"
    )


def read_safetensors(path: str | os.PathLike) -> dict[str, TensorView]:
    """The tensors that a safetensors file's header lists.

    What the safetensors library refuses is refused, and names that come twice: the tensors have to
    fill the file, one behind the other.
    """
    path = pathlib.Path(path)
    size = check_regular(path)
    with open_regular(path) as file:
        try:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, _LONGEST_HEADER):
                raise InputError(
                    f"{path}: not a safetensors file or cut short ({size} bytes); download it again"
                )
            header = parse_json(file.read(length), unique_names=True)
        except JsonError as error:
            raise _mangled(path, error) from None
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None
    if not isinstance(header, dict):
        raise _mangled(path, "no object")
    header.pop("__metadata__", None)
    views = {}
    for name, entry in header.items():
        views[name] = _safetensors_view(path, name, entry, 8 + length, size)
    _check_layout(path, views.values(), 8 + length, size)
    _check_with_library(path)
    return views


def _mangled(path, reason) -> InputError:
    return InputError(f"{path}: its safetensors header is mangled ({reason}); download it again")


def _safetensors_view(path, name, entry, data_start, size) -> TensorView:
    if problem := _ENTRY.problem(entry):
        raise InputError(f"{path}: the header's entry for {name:.200} is mangled ({problem})")
    shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
    if entry["dtype"] not in DTYPES:
        raise InputError(
            f"{path}: {name:.200} is stored as {entry['dtype']:.20}, which is not supported"
        )
    dtype = DTYPES[entry["dtype"]]
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise InputError(
            f"{path}: {name:.200} has {end - begin} bytes, which is not its shape {shape}"
        )
    if data_start + end > size:
        raise InputError(f"{path}: cut short: {name:.200} lies beyond its end; download it again")
    return TensorView(path, data_start + begin, dtype, shape, name=name)


def _check_layout(path, views, start, size) -> None:
    """Raises an InputError unless tensors fill a file from a byte on to its end."""
    at, before = start, "the header"
    for view in sorted(views, key=lambda view: (view.start, view.num_bytes)):
        if view.start != at:
            how = "overlaps" if view.start < at else "leaves a gap behind"
            raise InputError(f"{path}: {view.name:.200} {how} {before:.200}; download it again")
        at, before = at + view.num_bytes, view.name
    if at != size:
        raise InputError(f"{path}: {size - at} bytes behind the last tensor; download it again")


def _check_with_library(path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError, ValueError) as error:
        raise _mangled(path, reason_of(error)) from None


def _read_bin(path: pathlib.Path) -> dict[str, TensorView]:
    content = read_torch_file(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, expected tensors by name")
    for name in ("state_dict", "model_state_dict", "model"):  # with a trainer's state beside it
        if isinstance(content.get(name), dict):
            content = content[name]
    return named_views(content)


def named_views(content: Mapping) -> dict[str, TensorView]:
    """The tensors among the entries of a dict, each of which says its name in messages."""
    return {
        name: dataclasses.replace(view, name=name)
        for name, view in content.items()
        if isinstance(name, str) and isinstance(view, TensorView)
    }


def _read_shards(index: pathlib.Path, read) -> dict[str, TensorView]:
    """`{"weight_map": {tensor name: file name}}`."""
    weight_map = read_json_object(index, _INDEX, hint="download it again")["weight_map"]
    shards = {}
    for name in sorted(set(weight_map.values())):
        # A plain name: an index must not reach for files outside its directory.
        if not is_file_name(name):
            raise InputError(f"{index}: names {name!r:.200}, which is not a file beside it")
        path = index.parent / name
        if not path.is_file():
            raise InputError(f"{path}: missing, though {index.name} lists it; download it too")
        shards[name] = read(path)
    views = {}
    for tensor, name in weight_map.items():
        if tensor not in shards[name]:
            raise InputError(
                f"{index.parent / name}: lacks {tensor:.200}, which {index.name} lists"
            )
        views[tensor] = shards[name][tensor]
    return views
