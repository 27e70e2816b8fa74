"""Reading weights: what a file holds, and every way in which a file can be broken."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from keras_roberta.checkpoints import tensor_files
from keras_roberta.checkpoints.safetensors_files import write_safetensors
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.checkpoints.tensor_view import TensorView
from keras_roberta.errors import InputError

WEIGHTS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.arange(4, dtype=np.float16) / 3,
    "brain": (np.arange(4) / 3).astype(ml_dtypes.bfloat16),
    "double": np.arange(2, dtype=np.float64),
    "ids": np.arange(5, dtype=np.int64),
    "scalar": np.array(2.5, np.float32),
    "empty": np.zeros((0, 3), np.float32),
}


def raw_safetensors(header, data=b"", length=None):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


def test_reads_every_width_as_float32(tmp_path):
    save_file(WEIGHTS, tmp_path / "model.safetensors")
    state = open_state_dict(tmp_path)
    assert set(state) == set(WEIGHTS) and len(state) == len(WEIGHTS)
    for name, array in WEIGHTS.items():
        expected = array if name == "ids" else array.astype(np.float32)
        assert state[name].dtype == expected.dtype
        assert state.shape(name) == array.shape
        np.testing.assert_array_equal(state[name], expected)
    with pytest.raises(KeyError):
        state["no such"]


def test_reads_shards(tmp_path):
    save_file({"a": WEIGHTS["a"]}, tmp_path / "model-1.safetensors")
    save_file({"half": WEIGHTS["half"]}, tmp_path / "model-2.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "half": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    state = open_state_dict(tmp_path)
    assert list(state) == ["a", "half"]
    np.testing.assert_array_equal(state["a"], WEIGHTS["a"])
    (tmp_path / "model-2.safetensors").unlink()
    with pytest.raises(InputError, match="model-2.safetensors: missing"):
        open_state_dict(tmp_path)


def test_writes_what_the_safetensors_library_reads(tmp_path):
    path = tmp_path / "out" / "model.safetensors"
    write_safetensors(path, {"t": WEIGHTS["a"].T, "a": WEIGHTS["a"]})
    read = load_file(path)
    np.testing.assert_array_equal(read["t"], WEIGHTS["a"].T)
    np.testing.assert_array_equal(read["a"], WEIGHTS["a"])
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o044 == path.parent.stat().st_mode & 0o044


@pytest.mark.parametrize("kept", [0, 4, 8, 20, -1])
def test_a_file_cut_short_is_named(tmp_path, kept):
    path = tmp_path / "model.safetensors"
    save_file(WEIGHTS, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match="model.safetensors"):
        open_state_dict(tmp_path)


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (raw_safetensors({}, length=10**12), "cut short"),
        (raw_safetensors(b"{"), "mangled"),
        (raw_safetensors(b"\xff\xff"), "mangled"),
        (raw_safetensors(b"[" * 100_000), "mangled"),
        (raw_safetensors([]), "mangled"),
        (raw_safetensors({"w": 3}), "w is mangled"),
        (raw_safetensors({"w": {**ENTRY, "dtype": "F8_E4M3"}}, bytes(8)), "F8_E4M3"),
        (raw_safetensors({"w": {**ENTRY, "dtype": []}}, bytes(8)), "mangled .dtype: expected"),
        (raw_safetensors({"w": {**ENTRY, "dtype": {}}}, bytes(8)), "mangled .dtype: expected"),
        (raw_safetensors({"w": {**ENTRY, "shape": [3]}}, bytes(8)), "8 bytes"),
        (raw_safetensors({"w": {**ENTRY, "shape": [-2]}}, bytes(8)), "mangled"),
        (raw_safetensors({"w": {**ENTRY, "data_offsets": [8, 16]}}, bytes(8)), "beyond its end"),
        (raw_safetensors({"w": {**ENTRY, "data_offsets": [-8, 0]}}, bytes(8)), "mangled"),
    ],
)
def test_a_mangled_header_is_named(tmp_path, content, message):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        open_state_dict(tmp_path)
    assert str(tmp_path / "model.safetensors") in str(caught.value)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "index.json: not JSON"),
        ("[]", "index.json: expected a JSON object"),
        ("{}", "weight_map: missing"),
        ('{"weight_map": 3}', "weight_map: expected an object"),
        ('{"weight_map": {"a": "../model-1.safetensors"}}', "not a file beside it"),
        ('{"weight_map": {"a": "%s"}}' % (300 * "x"), "not a file beside it"),
        ('{"weight_map": {"a": "\\ud800"}}', "not a file beside it"),
        ('{"weight_map": {"b": "model-1.safetensors"}}', "lacks b"),
    ],
)
def test_a_mangled_index_is_named(tmp_path, index, message):
    save_file({"a": WEIGHTS["a"]}, tmp_path / "model-1.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(InputError, match=message):
        open_state_dict(tmp_path)


def test_no_weights(tmp_path):
    with pytest.raises(InputError, match="no weights here"):
        open_state_dict(tmp_path)


def test_tensors_are_compared_a_part_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(tensor_files, "_PART", 20)
    a = np.arange(100, dtype=np.float32).reshape(25, 4)
    last = a.copy()
    last[-1, -1] = 0
    tensors = {"a": a, "half": a.astype(np.float16), "last": last, "first": 1 - a}
    tensors |= {"flat": a.reshape(-1), "one": np.array(2.5), "other": np.array(3.5)}
    save_file(tensors, tmp_path / "model.safetensors")
    state = open_state_dict(tmp_path)
    read, sizes = TensorView.read, []

    def watched(view, dtype=None):
        sizes.append(view.shape)
        return read(view, dtype)

    monkeypatch.setattr(TensorView, "read", watched)
    assert state.same_numbers("a", "half")
    assert sizes == 10 * [(5, 4)]
    assert not state.same_numbers("a", "last") and not state.same_numbers("a", "flat")
    sizes.clear()
    assert not state.same_numbers("a", "first") and sizes == 2 * [(5, 4)]
    assert state.same_numbers("one", "one") and not state.same_numbers("one", "other")
