"""PyTorch's files, made here byte by byte: `torch.save` without PyTorch, and what an attacker adds.

The writer follows torch/serialization.py; stand-ins for PyTorch's functions and storage classes
give the pickles the names that PyTorch's have.
"""

import argparse
import builtins
import collections
import copyreg
import io
import os
import pickle
import random
import struct
import sys
import tracemalloc
import types
import zipfile
import zlib

import ml_dtypes
import numpy as np
import pytest

from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.checkpoints.tensor_view import TensorView
from keras_roberta.checkpoints.torch_pickle import read_torch_file
from keras_roberta.errors import InputError

STORAGES = {
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


@pytest.fixture(autouse=True)
def torch_names(monkeypatch):
    """What pickle looks up when it writes a name; the code under test never sees it."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("_rebuild_tensor_v2", "_rebuild_parameter"):
        function = types.FunctionType((lambda *_: None).__code__, {}, name)
        function.__module__, function.__qualname__ = "torch._utils", name
        setattr(utils, name, function)
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    torch._utils = utils
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


class Tensor:
    """A view of a numpy array, which is its storage."""

    def __init__(self, storage, offset=0, shape=None, strides=None, parameter=False):
        self.storage = np.ascontiguousarray(storage)
        self.offset = offset
        self.shape = self.storage.shape if shape is None else shape
        rows = [int(np.prod(self.shape[axis + 1 :])) for axis in range(len(self.shape))]
        self.strides = tuple(rows) if strides is None else strides
        self.parameter = parameter

    def __reduce__(self):
        utils = sys.modules["torch._utils"]
        arguments = (self.storage.ravel(), self.offset, self.shape, self.strides, False, {})
        if self.parameter:
            return utils._rebuild_parameter, (Tensor(self.storage), True, {})
        return utils._rebuild_tensor_v2, arguments


class Writer(pickle.Pickler):
    def __init__(self, file, protocol=2, legacy=False, size_change=0):
        super().__init__(file, protocol)
        self.storages, self.legacy, self.size_change = {}, legacy, size_change

    def persistent_id(self, item):
        if not isinstance(item, np.ndarray):
            return None
        key = str(self.storages.setdefault(id(item), (len(self.storages), item))[0])
        kind = getattr(sys.modules["torch"], STORAGES[item.dtype.name])
        size = item.size + self.size_change
        return ("storage", kind, key, "cpu", size) + ((None,) if self.legacy else ())


def save_zip(path, content, protocol=2, compression=zipfile.ZIP_STORED, **changes):
    pickled = io.BytesIO()
    writer = Writer(pickled, protocol, **changes)
    writer.dump(content)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled.getvalue())
        archive.writestr("archive/byteorder", b"little")
        for key, array in writer.storages.values():
            archive.writestr(f"archive/data/{key}", array.tobytes())


def save_legacy(path, content, **changes):
    with open(path, "wb") as file:
        pickle.dump(0x1950A86A20F9469CFC6C, file, 2)
        pickle.dump(1001, file, 2)
        pickle.dump(dict(protocol_version=1001, little_endian=True, type_sizes={}), file, 2)
        writer = Writer(file, 2, legacy=True, **changes)
        writer.dump(content)
        pickle.dump([str(key) for key, _ in writer.storages.values()], file, 2)
        for _, array in writer.storages.values():
            file.write(array.size.to_bytes(8, "little") + array.tobytes())


SAVERS = {"zip": save_zip, "legacy": save_legacy}
both = pytest.mark.parametrize("save", SAVERS.values(), ids=SAVERS)

ROWS = np.arange(24, dtype=np.float32)
ARRAYS = {
    "f64": np.arange(3, dtype=np.float64),
    "f16": np.arange(3, dtype=np.float16) / 3,
    "bf16": (np.arange(3) / 3).astype(ml_dtypes.bfloat16),
    "i64": np.arange(5),
    "bool": np.array([True, False]),
}


def tensors():
    content = collections.OrderedDict({name: Tensor(array) for name, array in ARRAYS.items()})
    content["rows"] = Tensor(ROWS, shape=(2, 3, 4), strides=(12, 4, 1))
    content["transposed"] = Tensor(ROWS, shape=(4, 3, 2), strides=(1, 4, 12))
    content["slice"] = Tensor(ROWS, 13, shape=(3, 2), strides=(4, 2))
    content["scalar"] = Tensor(ROWS, 5, shape=(), strides=())
    content["empty"] = Tensor(ROWS, shape=(0, 4), strides=(4, 1))
    content["parameter"] = Tensor(ROWS, parameter=True)
    return content


@both
def test_reads_tensors(tmp_path, save):
    content = tensors()
    content._metadata = collections.OrderedDict(version=1)
    save(tmp_path / "pytorch_model.bin", content)
    state = open_state_dict(tmp_path)
    assert list(state) == list(content)
    expected = ARRAYS | {
        "rows": ROWS.reshape(2, 3, 4),
        "transposed": ROWS.reshape(2, 3, 4).T,
        "slice": ROWS.reshape(2, 3, 4)[1, :, 1::2],
        "scalar": ROWS[5],
        "empty": ROWS[:0].reshape(0, 4),
        "parameter": ROWS,
    }
    for name, array in expected.items():
        np.testing.assert_array_equal(state[name], array, strict=name in ("i64", "bool", "rows"))
    assert state["bf16"].dtype == state["f16"].dtype == state["f64"].dtype == np.float32


def test_a_trainers_state_around_the_weights(tmp_path):
    save_zip(tmp_path / "pytorch_model.bin", {"state_dict": tensors(), "epoch": 3})
    assert set(open_state_dict(tmp_path)) == set(tensors())


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_reads_pickle_protocol(tmp_path, protocol):
    save_zip(tmp_path / "pytorch_model.bin", tensors(), protocol)
    assert set(open_state_dict(tmp_path)) == set(tensors())


@both
def test_reads_what_fairseq_saves(tmp_path, save):
    content = {"args": argparse.Namespace(arch="roberta_base"), "model": tensors(), "n": [1, 2.5]}
    save(tmp_path / "model.pt", content)
    read = read_torch_file(tmp_path / "model.pt")
    assert read["args"] == {"arch": "roberta_base"} and read["n"] == [1, 2.5]
    assert isinstance(read["model"]["rows"], TensorView)


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@both
@pytest.mark.parametrize(
    ("attack", "name"),
    [
        (Calls(os.system, "touch pwned"), f"{os.name}.system"),
        (Calls(eval, "open('pwned', 'w')"), "eval"),
        (Calls(getattr, Calls(__import__, "os"), "system"), "__import__|getattr"),
        (Calls(builtins.exec, "open('pwned', 'w')"), "exec"),
        (Calls(pickle.loads, b""), "loads"),
        (os.system, f"{os.name}.system"),
        (Calls(collections.Counter, ()), "collections.Counter"),
    ],
)
def test_refuses_code(tmp_path, monkeypatch, save, attack, name):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "pytorch_model.bin", {**tensors(), "deep": [{"down": attack}]})
    with pytest.raises(InputError, match=rf"contains code \('[\w.]*({name})'\): refusing"):
        open_state_dict(tmp_path)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"cos\nsystem\n(S'touch pwned'\ntR.",
        b"(S'touch pwned'\nios\nsystem\n.",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0btouch pwned\x85R.",
        b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
        b"\x80\x04\x8c\x0ctorch._utils\x8c\x1e_rebuild_tensor_v2.__globals__\x93.",
        b"ctorch.storage\n_load_from_bytes\n.",
    ],
)
def test_refuses_hand_written_code(tmp_path, pickled):
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    with pytest.raises(InputError, match="refusing|mangled"):
        open_state_dict(tmp_path)


def read_pickled(tmp_path, pickled):
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    return read_torch_file(tmp_path / "pytorch_model.bin")


TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = b"ctorch\nFloatStorage\n"
ORDERED_DICT = b"ccollections\nOrderedDict\n"
NAMESPACE = b"cargparse\nNamespace\n"


def text(string):
    return b"X" + len(string).to_bytes(4, "little") + string.encode()


def item(key, value):
    return text(key) + value + b"s"


@pytest.mark.parametrize("target", [TENSOR, STORAGE, ORDERED_DICT, NAMESPACE])
@pytest.mark.parametrize(
    "state",
    [
        b"}" + item("__code__", b"N"),
        b"N}" + item("__defaults__", b"K\x01\x85") + b"\x86",  # (None, slots)
        b"}" + item("__class__", b"N"),
        b"}" + item("__setstate__", b"N"),
    ],
)
def test_refuses_to_change_what_it_finds(tmp_path, target, state):
    for pickled in (target + state + b"b.", target + b")R" + state + b"b."):
        try:
            read_pickled(tmp_path, b"\x80\x02" + pickled)
        except InputError as error:
            assert "mangled" in str(error)
        else:  # an OrderedDict whose attributes mean nothing here
            assert target == ORDERED_DICT
    save_zip(tmp_path / "good.bin", tensors())
    assert set(read_torch_file(tmp_path / "good.bin")) == set(tensors())


@pytest.mark.parametrize(
    "change", [b"}" + item("offset", b"J\xff\xff\xff\x7f") + b"b", b"K\x01a", b"K\x01K\x02s"]
)
@pytest.mark.parametrize("made", ["storage", "tensor"])
def test_refuses_to_change_a_tensor_that_was_checked(tmp_path, change, made):
    storage = b"(" + text("storage") + STORAGE + text("0") + text("cpu") + b"K\x04tQ"
    tensor = TENSOR + b"(" + storage + b"K\x00K\x02\x85K\x01\x85\x89}tR"
    with pytest.raises(InputError, match="mangled"):
        read_pickled(
            tmp_path, b"\x80\x02" + {"storage": storage, "tensor": tensor}[made] + change + b"."
        )


@pytest.mark.parametrize("opcode", [b"\x82\xf0", b"\x83\xf0\x00", b"\x84\xf0\x00\x00\x00"])
def test_refuses_registered_extensions(tmp_path, monkeypatch, opcode):
    """Which Python's own unpickler takes from a cache, past `find_class`."""
    monkeypatch.chdir(tmp_path)
    copyreg.add_extension("posix", "system", 0xF0)
    try:
        copyreg._extension_cache[0xF0] = os.system
        attack = opcode + text("touch pwned") + b"\x85R."
        with pytest.raises(InputError, match="opcode EXT"):
            read_pickled(tmp_path, b"\x80\x02" + attack)
    finally:
        copyreg.remove_extension("posix", "system", 0xF0)
        copyreg._extension_cache.pop(0xF0, None)
    assert not (tmp_path / "pwned").exists()


def test_the_state_of_a_training(tmp_path):
    """fairseq's of 2019: meters, and the optimizer's state under addresses of parameters."""
    meters = [
        f"cfairseq.meters\n{name}Meter\n".encode() + b")\x81}" + item("sum", b"K\x07") + b"b"
        for name in ("Average", "Time", "Stopwatch")
    ]
    pickled = b"\x80\x02}" + b"".join(map(item, "abc", meters)) + b"."
    assert read_pickled(tmp_path, pickled) == {name: {"sum": 7} for name in "abc"}
    state = {2**47 - 8 * i: {"step": i} for i in range(400)}
    assert read_pickled(tmp_path, pickle.dumps(state, 2)) == state
    with pytest.raises(InputError, match="more than 32 bits for a key"):  # no model has as many
        read_pickled(tmp_path, pickle.dumps({2**40 + i: None for i in range(10_001)}, 2))


PERSISTENT_IDS = [
    b"K\x01",
    text("0"),
    b")",
    b"(" + text("module") + STORAGE + text("0") + text("cpu") + b"K\x04t",
    b"(" + text("storage") + TENSOR + text("0") + text("cpu") + b"K\x04t",
    b"(" + text("storage") + text("posix") + text("0") + text("cpu") + b"K\x04t",
    b"(" + text("storage") + STORAGE + b"K\x00" + text("cpu") + b"K\x04t",
    b"(" + text("storage") + STORAGE + text("0") + text("cpu") + b"J\xff\xff\xff\xfft",
    b"(" + text("storage") + STORAGE + text("0") + text("cpu") + b"\x88t",
    b"(" + text("storage") + STORAGE + text("0") + text("cpu") + b"K\x04K\x01t",
]


@pytest.mark.parametrize("persistent_id", PERSISTENT_IDS)
def test_refuses_persistent_ids_of_another_kind(tmp_path, persistent_id):
    with pytest.raises(InputError, match="mangled"):
        read_pickled(tmp_path, b"\x80\x02" + persistent_id + b"Q.")
    with pytest.raises(InputError, match="opcode PERSID"):
        read_pickled(tmp_path, b"\x80\x02P0\n.")


@pytest.mark.parametrize(
    "pickled",
    [
        text("a") + b")R.",  # calls of data
        b"})R.",
        STORAGE + b")R.",
        NAMESPACE + b"K\x01\x85R.",
        TENSOR + b")\x81.",  # new objects
        ORDERED_DICT + b")\x81.",
        NAMESPACE + b"K\x01\x85\x81.",
        b"(" + TENSOR + b"o.",
        TENSOR + b"]R.",
        b"]K\x01K\x02s.",  # a list for a dict, and the other way round
        b"}K\x01a.",
        b"}(K\x01K\x02e.",
        b"}(K\x01u.",
        b"\x8f(K\x01\x90.",  # sets
        b"(K\x01\x91.",
        b"K\x01\x82\x00.",
        b"a.",  # an empty stack
        b"R.",
        b"Q.",
        b"b.",
        b"t.",
        b"h\x07.",
    ],
)
def test_refuses_senseless_programs(tmp_path, pickled):
    with pytest.raises(InputError, match="mangled"):
        read_pickled(tmp_path, b"\x80\x04" + pickled)


def test_a_pickle_within_a_pickle_stays_bytes(tmp_path):
    inner = pickle.dumps(Calls(os.system, "touch pwned"))
    assert read_pickled(tmp_path, pickle.dumps({"inner": inner}, 4)) == {"inner": inner}
    for name in ("pickle", "_pickle", "torch.serialization", "torch"):
        call = f"c{name}\nloads\n".encode() + b"C\x01.\x85R."
        with pytest.raises(InputError, match="contains code"):
            read_pickled(tmp_path, b"\x80\x02" + call)


PAIRS = b"".join(b"K%cK\x01\x86" % key for key in range(256))


@pytest.mark.parametrize(
    "pickled",
    [
        b"N" + b"r\xff\xff\xff\xff.",  # the last place of the memo
        b"\x96" + (1 << 40).to_bytes(8, "little") + b".",  # a bytearray of a terabyte
        b"\x8e" + (1 << 40).to_bytes(8, "little") + b".",
        b"B\xff\xff\xff\xff.",
        b"\x95" + (1 << 62).to_bytes(8, "little") + b"N.",
        b"\x8b\xff\xff\xff\x7f.",  # LONG4
        b"L" + b"9" * 100_000 + b"L\n.",
        # A list of 256 pairs into 3,000 dicts, and a tuple of them into 3,000 calls.
        b"](" + PAIRS + b"eq\x00" + (ORDERED_DICT + b"h\x00\x85R") * 3000 + b".",
        b"](" + PAIRS + b"tq\x00" + (ORDERED_DICT + b"h\x00R") * 3000 + b".",
    ],
)
def test_a_few_bytes_do_not_take_gigabytes(tmp_path, pickled):
    tracemalloc.start()
    try:
        read_pickled(tmp_path, b"\x80\x04" + pickled)
    except InputError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 1 << 22


@pytest.mark.parametrize("as_key", [False, True])
def test_a_small_bomb_does_not_go_off(tmp_path, as_key):
    """A tuple of itself twice, 60 times over: 2**60 parts when walked naively."""
    grow = b"q\x00h\x00\x86" * 60
    pickled = b"}" + (b")" + grow + b"K\x01" if as_key else b"K\x01)" + grow) + b"s."
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + pickled)
    if as_key:
        with pytest.raises(InputError, match="tuple for a key"):
            open_state_dict(tmp_path)
    else:
        assert not open_state_dict(tmp_path)


@both
@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (dict(shape=(25,)), "beyond its storage"),
        (dict(offset=1, shape=(24,)), "beyond its storage"),
        (dict(shape=(2, 2), strides=(23, 1)), "beyond its storage"),
        (dict(shape=(2**40, 2**40), strides=(0, 0)), "repeats its storage"),
        (dict(offset=-1, shape=(2,)), "proper shape"),
        (dict(shape=(2,), strides=(-1,)), "proper shape"),
        (dict(shape=(2,), strides=(1, 1)), "proper shape"),
        (dict(shape=(2.0,), strides=(1,)), "proper shape"),
        (dict(shape=(1,) * 40), "proper shape"),
    ],
)
def test_refuses_views_outside_the_storage(tmp_path, save, tensor, message):
    save(tmp_path / "pytorch_model.bin", {"w": Tensor(ROWS, **tensor)})
    with pytest.raises(InputError, match=message):
        open_state_dict(tmp_path)


@both
def test_refuses_a_storage_of_another_size(tmp_path, save):
    save(tmp_path / "pytorch_model.bin", {"w": Tensor(ROWS)}, size_change=1)
    with pytest.raises(InputError, match="storage 0 has"):
        open_state_dict(tmp_path)


def test_refuses_a_compressed_archive(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    save_zip(path, {"w": Tensor(np.zeros(10**6, np.float32))}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="compressed"):
        open_state_dict(tmp_path)


def test_refuses_big_endian(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, 2))
        archive.writestr("archive/byteorder", b"big")
    with pytest.raises(InputError, match="big-endian"):
        open_state_dict(tmp_path)


@pytest.mark.parametrize("offset", [10**6, 2**62, 2**63, 2**64 - 1])
def test_refuses_an_entry_beyond_the_end(tmp_path, offset):
    """Written by hand: the directory's 32-bit offset says to look in its 64-bit field."""
    pickled, name = pickle.dumps({}, 2), b"archive/data.pkl"
    sizes = struct.pack("<III", zlib.crc32(pickled), len(pickled), len(pickled))
    entry = b"PK\3\4" + struct.pack("<5H", 45, 0, 0, 0, 0) + sizes
    entry += struct.pack("<HH", len(name), 0) + name + pickled
    extra = struct.pack("<HHQ", 1, 8, offset)
    directory = b"PK\1\2" + struct.pack("<6H", 45, 45, 0, 0, 0, 0) + sizes
    directory += struct.pack("<5HII", len(name), len(extra), 0, 0, 0, 0, 2**32 - 1) + name + extra
    end = b"PK\5\6" + struct.pack("<4HIIH", 0, 0, 1, 1, len(directory), len(entry), 0)
    (tmp_path / "pytorch_model.bin").write_bytes(entry + directory + end)
    with pytest.raises(InputError, match="not a PyTorch file, or cut short"):
        read_torch_file(tmp_path / "pytorch_model.bin")


@pytest.mark.parametrize("change", ["size", "kind"])
def test_refuses_two_storages_of_one_key(tmp_path, change):
    """The second would be read at another width, or beyond its end."""

    class OneKey(Writer):
        def persistent_id(self, item):
            found = super().persistent_id(item)
            return found and (*found[:2], "0", *found[3:])

    path = tmp_path / "pytorch_model.bin"
    second = ROWS[:12] if change == "size" else np.arange(24)
    with open(path, "wb") as file:
        pickle.dump(0x1950A86A20F9469CFC6C, file, 2)
        pickle.dump(1001, file, 2)
        pickle.dump(dict(protocol_version=1001, little_endian=True, type_sizes={}), file, 2)
        OneKey(file, 2, legacy=True).dump({"a": Tensor(ROWS), "b": Tensor(second)})
        pickle.dump(["0"], file, 2)
        file.write(second.size.to_bytes(8, "little") + second.tobytes())
    with pytest.raises(InputError, match="storage 0 is announced in two ways"):
        read_torch_file(path)


def test_names_are_printed_as_one_line(tmp_path):
    name = b"posix\x1b[2J"
    pickled = b"\x80\x04\x8c" + bytes([len(name)]) + name + b"\x8c\x06system\x93."
    with pytest.raises(InputError) as caught:
        read_pickled(tmp_path, pickled)
    assert r"'posix\x1b[2J.system'" in str(caught.value)


def test_what_is_relied_on_of_python():
    """The parts of Python's own unpickler that are not documented."""
    unpickler = pickle._Unpickler(io.BytesIO(b"(K\x01K\x02."))
    assert unpickler.dispatch[pickle.MARK[0]] is pickle._Unpickler.load_mark
    assert unpickler.load() == 2
    assert unpickler.stack == [1] and unpickler.pop_mark() == [1] and unpickler.stack == []


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\x80", b"not a checkpoint", bytes(100)])
def test_refuses_other_files(tmp_path, content):
    (tmp_path / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(InputError, match="pytorch_model.bin: not a PyTorch file"):
        open_state_dict(tmp_path)


@both
def test_a_broken_file_is_read_or_refused(tmp_path, save):
    """Cut at every length and with bytes changed: never another exception."""
    path = tmp_path / "pytorch_model.bin"
    save(path, tensors())
    whole = path.read_bytes()
    rng = random.Random(0)
    broken = [whole[:length] for length in range(0, len(whole), 7)]
    for _ in range(600):
        changed = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(whole))] = rng.randrange(256)
        broken.append(bytes(changed))
    refused = 0
    for content in broken:
        path.write_bytes(content)
        try:
            with np.errstate(all="ignore"):
                dict(open_state_dict(tmp_path))
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused >= len(whole) // 7
