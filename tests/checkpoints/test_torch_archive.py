"""What `torch.load` reads, by the layout of torch/serialization.py."""

import argparse
import io
import pickle
import pickletools
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from keras_roberta.checkpoints.tensor_view import TensorView
from keras_roberta.checkpoints.torch_archive import write_torch_file
from keras_roberta.checkpoints.torch_pickle import read_torch_file


@pytest.fixture
def content():
    matrix = np.arange(6, dtype="f4").reshape(2, 3)
    return {
        "args": argparse.Namespace(layers=2, rate=0.1, names=["a", None], flag=True),
        "model": OrderedDict(
            b=matrix, a=matrix, transposed=matrix.T, empty=np.zeros((0, 4), "f4"), one=np.ones(())
            .astype("f4"),
        ),
    }  # fmt: skip


class Unpickler(pickle.Unpickler):
    """Python's own, with PyTorch's names as tuples."""

    def find_class(self, module, name):
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *arguments: ("tensor", *arguments[:4])
        if (module, name) == ("torch", "FloatStorage"):
            return "FloatStorage"
        return super().find_class(module, name)

    def persistent_load(self, pid):
        return pid


def test_the_archive(content, tmp_path):
    path = tmp_path / "model.pt"
    write_torch_file(path, content)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        entries = {entry.filename: entry for entry in archive.infolist()}
        assert archive.read("archive/version") == b"3\n"
        assert archive.read("archive/byteorder") == b"little"
        pickled = archive.read("archive/data.pkl")
        stored = {n: archive.read(n) for n in entries if n.startswith("archive/data/")}
    assert {entry.compress_type for entry in entries.values()} == {zipfile.ZIP_STORED}
    raw = path.read_bytes()
    for name, data in stored.items():  # at multiples of 64, so that they can be mapped
        if data:
            assert raw.index(data, entries[name].header_offset) % 64 == 0
    assert next(pickletools.genops(pickled))[1] == 2  # PyTorch's protocol
    found = Unpickler(io.BytesIO(pickled)).load()
    assert list(found["model"]) == list(content["model"])
    assert type(found["model"]) is OrderedDict and found["args"] == content["args"]
    first = found["model"]["b"]
    assert first == ("tensor", ("storage", "FloatStorage", "0", "cpu", 6), 0, (2, 3), (3, 1))
    assert found["model"]["a"] == first  # one storage
    assert found["model"]["one"][2:] == (0, (), ())
    assert np.frombuffer(stored["archive/data/0"], "<f4").tolist() == [0, 1, 2, 3, 4, 5]


def test_there_and_back(content, tmp_path):
    write_torch_file(tmp_path / "model.pt", content)
    found = read_torch_file(tmp_path / "model.pt")
    assert found["args"] == vars(content["args"])
    for name, array in content["model"].items():
        assert isinstance(found["model"][name], TensorView)
        np.testing.assert_array_equal(found["model"][name].read(), array, err_msg=name)


def test_other_numbers_are_not_written_as_floats(tmp_path):
    with pytest.raises(TypeError, match="an array of int64"):
        write_torch_file(tmp_path / "model.pt", {"a": np.arange(3)})
    assert not (tmp_path / "model.pt").exists()
