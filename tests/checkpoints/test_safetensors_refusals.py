"""What the safetensors library refuses is refused here, and what both read is the same."""

import json
import random
import struct

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.errors import InputError

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float32)}


def entry(begin, end, dtype="F32", shape=None):
    shape = [(end - begin) // 4] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def content(header, data=bytes(16), length=None):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


A = b'"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}'
REFUSED = {
    "overlap": (content({"a": entry(0, 12), "b": entry(8, 16)}), "b overlaps a"),
    "two of the same bytes": (content({"a": entry(0, 16), "b": entry(0, 16)}), "b overlaps a"),
    "gap": (content({"a": entry(0, 4), "b": entry(8, 16)}), "b leaves a gap behind a"),
    "gap in front": (content({"a": entry(4, 16)}), "a leaves a gap behind the header"),
    "bytes behind": (content({"a": entry(0, 12)}), "4 bytes behind the last tensor"),
    "no tensor for the bytes": (content({}), "16 bytes behind"),
    "cut": (content({"a": entry(0, 20)}), "beyond its end"),
    "other size": (content({"a": entry(0, 16, shape=[3])}), "16 bytes, which is not its shape"),
    "header one short": (content(b"{" + A + b"}", length=len(A) + 1), "mangled"),
    "header one long": (content(b"{" + A + b"}", length=len(A) + 3), "mangled"),
    "header of four more": (content(b"{" + A + b"}   ", length=len(A) + 9), "mangled"),
    "a field twice": (content(b"{" + A[:-1] + b', "dtype": "I32"}}'), "'dtype' twice"),
    "metadata of numbers": (content({"__metadata__": {"a": 1}, "a": entry(0, 16)}), "mangled"),
    "metadata, a list": (content({"__metadata__": [], "a": entry(0, 16)}), "mangled"),
    "half a pair": (content(b'{"\\ud800": ' + A[5:] + b"}"), "mangled"),
    "a truth value for a size": (content(b"{" + A.replace(b"[4]", b"[4, true]") + b"}"), "mangled"),
    "a fraction for a size": (content(b"{" + A.replace(b"[4]", b"[4.0]") + b"}"), "mangled"),
    "not a number": (content(b'{"x": NaN, ' + A + b"}"), "mangled"),
    "no numbers": (content(b"{" + A.replace(b"16]", b"-16]") + b"}"), "mangled"),
    "thousands of digits": (content(b"{" + A.replace(b"16", b"1" * 5000) + b"}"), "mangled"),
    "no such type": (content({"a": entry(0, 16, "F31")}), "F31"),
    "not UTF-8": (content(b'{"\xff": 3}'), "mangled"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_library_refuses(name, tmp_path):
    data, says = REFUSED[name]
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises((SafetensorError, UnicodeError)), safe_open(path, framework="numpy"):
        pass
    with pytest.raises(InputError, match=says) as caught:
        open_state_dict(tmp_path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("first", [A, A.replace(b"16", b"8").replace(b"4]", b"2]")])
def test_a_name_twice(first, tmp_path):
    """The library takes the last of them, and says nothing."""
    (tmp_path / "model.safetensors").write_bytes(content(b"{" + first + b"," + A + b"}"))
    with pytest.raises(InputError, match="'a' twice"):
        open_state_dict(tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_damaged_headers_are_read_as_the_library_reads_them(seed, tmp_path):
    whole, path = save(TENSORS), tmp_path / "model.safetensors"
    rng, refused = random.Random(seed), 0
    for _ in range(60):
        data = bytearray(whole)
        header = 8 + int.from_bytes(whole[:8], "little")
        for _ in range(rng.choice([1, 1, 2])):
            at = rng.choice([rng.randrange(header), rng.randrange(len(data))])
            data[at] = rng.choice([data[at] ^ 1 << rng.randrange(8), *b'0189,:"[]{} '])
        if rng.random() < 0.2:
            data = data[: rng.randrange(len(data))] + bytes(rng.choice([0, 4]))
        path.write_bytes(data)
        try:
            expected = load(bytes(data))
        except Exception:  # the library's numpy part raises whatever it meets
            expected = None
        try:
            state = open_state_dict(tmp_path)
            found = {name: state[name] for name in state}
        except InputError:
            refused += 1
            continue
        assert expected is not None and set(found) == set(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array.astype(found[name].dtype))
    assert 10 < refused < 60  # some of each
