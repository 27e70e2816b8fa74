"""Weights in several files: which goes where, the index, and what is read back."""

import json
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

import keras_roberta as kr
from keras_roberta.checkpoints.safetensors_files import write_safetensors, write_shards
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.files.room import bytes_in_float32, bytes_of
from keras_roberta.options import OptionError
from keras_roberta.options.sizes import bytes_of_gigabytes, bytes_of_text


def arrays_of(sizes):
    return {f"t{i}": np.full(size, i, np.uint8) for i, size in enumerate(sizes)}


def written(directory):
    """The tensors of each file, by its name, as the safetensors library reads them."""
    return {path.name: load_file(path) for path in sorted(directory.glob("*.safetensors"))}


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        # The example in the documentation of huggingface_hub's function.
        ((6, 6, 2, 6, 2, 2), [["t0"], ["t1", "t2"], ["t3", "t4", "t5"]]),
        # A tensor that is too large has a file of its own, and the one in progress goes on.
        ((3, 20, 4, 9), [["t1"], ["t0", "t2"], ["t3"]]),
        ((3, 4), [["t0", "t1"]]),
    ],
)
def test_which_tensor_goes_where(tmp_path, sizes, groups):
    write_shards(tmp_path, arrays_of(sizes), 10)
    total = len(groups)
    names = [f"model-{i:05}-of-{total:05}.safetensors" for i in range(1, total + 1)]
    if total == 1:
        names = ["model.safetensors"]
    assert [sorted(tensors) for tensors in written(tmp_path).values()] == groups
    assert list(written(tmp_path)) == names
    index = tmp_path / "model.safetensors.index.json"
    assert index.exists() == (total > 1)
    if total > 1:
        assert json.loads(index.read_text()) == {
            "metadata": {"total_parameters": sum(sizes), "total_size": sum(sizes)},
            "weight_map": {t: n for n, group in zip(names, groups, strict=True) for t in group},
        }


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=12), st.integers(1, 15))
def test_every_tensor_comes_back(tmp_path_factory, sizes, most):
    directory, arrays = tmp_path_factory.mktemp("shards"), arrays_of(sizes)
    write_shards(directory, arrays, most)
    read = {name: array for file in written(directory).values() for name, array in file.items()}
    assert set(read) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
    for tensors in written(directory).values():
        assert len(tensors) == 1 or sum(array.nbytes for array in tensors.values()) <= most
    assert set(open_state_dict(directory)) == set(arrays)


def test_dtypes_and_views_are_written_as_they_are(tmp_path):
    tensors = {
        "odd": np.arange(3, dtype=np.uint8),
        "half": np.arange(5).astype(ml_dtypes.bfloat16),
        "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "scalar": np.float64(2.5) * np.ones(()),
        "empty": np.zeros((0, 3), np.float32),
    }
    write_safetensors(tmp_path / "model.safetensors", tensors)
    read = load_file(tmp_path / "model.safetensors")
    for name, array in tensors.items():
        assert read[name].dtype == array.dtype and read[name].shape == array.shape
        np.testing.assert_array_equal(read[name], array)


def test_a_model_in_shards(tmp_path, config):
    backbone = kr.RobertaBackbone(config)
    backbone.save_to_hugging_face(tmp_path, max_shard_size="20KB")
    files = sorted(path.name for path in tmp_path.glob("model*"))
    assert len(files) > 3 and files[-1] == "model.safetensors.index.json"
    assert_same_weights(kr.RobertaBackbone.from_preset(tmp_path), backbone)
    # One file in their place, and they in its: none is left over to be read instead.
    other = kr.RobertaBackbone(config.replace(seed=6))
    other.save_to_hugging_face(tmp_path)
    assert [path.name for path in tmp_path.glob("model*")] == ["model.safetensors"]
    backbone.save_to_hugging_face(tmp_path, max_shard_size=20_000)
    assert sorted(path.name for path in tmp_path.glob("model*")) == files
    assert_same_weights(kr.RobertaBackbone.from_preset(tmp_path), backbone)


def test_a_preset_in_shards(tmp_path, config):
    backbone = kr.RobertaBackbone(config)
    backbone.save_to_preset(tmp_path, max_shard_size=50_000 / 2**30)
    assert len(list(tmp_path.glob("model_*.weights.h5"))) > 1
    assert_same_weights(kr.RobertaBackbone.from_preset(tmp_path), backbone)
    with pytest.raises(OptionError, match="max_shard_size: the largest weight takes 38,400 bytes"):
        backbone.save_to_preset(tmp_path / "none", max_shard_size=30_000 / 2**30)
    assert not (tmp_path / "none").exists()
    for size in (None, "1GB"):
        backbone.save_to_preset(tmp_path, max_shard_size=size)
        assert [path.name for path in tmp_path.glob("model*")] == ["model.weights.h5"]
    # Its weights take half, so that each fits, and they are not counted as float32.
    half = kr.RobertaBackbone(config, dtype="bfloat16")
    half.save_to_preset(tmp_path, max_shard_size="30KB")
    assert_same_weights(kr.RobertaBackbone.from_preset(tmp_path, dtype="bfloat16"), half)


def assert_same_weights(first, second):
    second = second.weights_by_name()
    for name, weight in first.weights_by_name().items():
        np.testing.assert_array_equal(weight, second[name], err_msg=name)


@pytest.mark.parametrize(
    ("size", "num_bytes"),
    [("500MB", 500_000_000), ("1.5 gb", 1_500_000_000), (20, 20), ("7", 7), ("2kb", 2000)],
)
def test_sizes(size, num_bytes):
    assert bytes_of_text("max_shard_size", size) == num_bytes


@pytest.mark.parametrize(
    "size", ["", "MB", "5 gigabytes", "-5GB", 0, "0MB", 1.5, True, "1e9", None]
)
def test_what_is_no_size(size):
    with pytest.raises(OptionError, match="max_shard_size"):
        bytes_of_text("max_shard_size", size)


def test_sizes_in_gigabytes():
    sizes = {0.5: 2**29, 10: 10 * 2**30, np.float32(2): 2**31, "2GB": 2 * 10**9, None: None}
    assert {size: bytes_of_gigabytes("max_shard_size", size) for size in sizes} == sizes


@pytest.mark.parametrize("size", [0, -1, 1e-12, float("nan"), float("inf"), True, [], "2 pounds"])
def test_what_is_no_size_in_gigabytes(size):
    with pytest.raises(OptionError, match="max_shard_size"):
        bytes_of_gigabytes("max_shard_size", size)


def test_what_weights_take_on_the_disk():
    weights = [SimpleNamespace(shape=(3, 5), dtype=d) for d in ("bfloat16", "float32", "int8")]
    assert bytes_of(weights) == 15 * (2 + 4 + 1)
    assert bytes_in_float32(weights) == 15 * 3 * 4
