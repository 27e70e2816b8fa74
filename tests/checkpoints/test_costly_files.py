"""Small files that would cost much: refused, or read in a moment."""

import json
import struct
import time
import tracemalloc

import h5py
import numpy as np
import pytest
from hugging_face_files import write_checkpoint

import keras_roberta as kr
from keras_roberta.checkpoints.hugging_face import label_names
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.checkpoints.torch_pickle import read_torch_file
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError

# Of the CPU: far more than any of these takes, far less than work that is not linear.
SECONDS = 60.0
BYTES = 400e6


@pytest.fixture(autouse=True)
def within_bounds():
    tracemalloc.start()
    started = time.process_time()
    yield
    seconds, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < SECONDS
    assert peak < BYTES


def write_header(path, header, data=b""):
    header = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


@pytest.mark.parametrize("shape", [[2**47] * 100_000, [1] * 500_000], ids=["large", "ones"])
def test_a_shape_of_many_axes(shape, tmp_path):
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}
    write_header(tmp_path / "model.safetensors", {"a": entry}, bytes(4))
    with pytest.raises(InputError, match=f"shape: a list of {len(shape)} values"):
        open_state_dict(tmp_path)


def test_many_tensors(tmp_path):
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    write_checkpoint(tmp_path, {})
    write_header(tmp_path / "model.safetensors", {f"a{i}": entry for i in range(20_000)})
    with pytest.raises(InputError, match="lacks"):
        kr.RobertaBackbone.from_preset(tmp_path)


@pytest.mark.parametrize("step", [2**61 - 1, 2**64], ids=["of one hash", "large"])
def test_a_dict_of_numbers_of_one_hash(step, tmp_path):
    keys = b"".join(b"\x8a\x10" + (i * step).to_bytes(16, "little") + b"Ns" for i in range(25_000))
    pickles = [b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little"), b"M\xe9\x03"]
    pickles += [b"}X\x0d\0\0\0little_endian\x88s", b"}" + keys]
    (tmp_path / "a.bin").write_bytes(b"".join(b"\x80\x02" + part + b"." for part in pickles))
    with pytest.raises(InputError, match="a number of more than 32 bits for a key"):
        read_torch_file(tmp_path / "a.bin")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"vocab_size": 15_000_000}, "word_embeddings.weight has the shape"),
        ({"vocab_size": 40_000_000}, "vocabulary_size must be at most"),
        ({"num_hidden_layers": 900}, "layers, the checkpoint 37 tensors"),
        ({"num_hidden_layers": 10**9}, "num_layers must be at most"),
        ({"hidden_size": 40_000}, "has the shape"),
        ({"intermediate_size": 200_000}, "has the shape"),
        ({"max_position_embeddings": 4_000_000}, "has the shape"),
        ({"type_vocab_size": 60_000}, "has the shape"),
    ],
)
def test_a_config_that_is_larger_than_its_weights(changes, says, tmp_path):
    write_checkpoint(tmp_path, {}, **changes)
    with pytest.raises(InputError, match=says):
        kr.RobertaBackbone.from_preset(tmp_path)


@pytest.mark.parametrize(
    "changes", [{"vocabulary_size": 15_000_000}, {"num_layers": 900}, {"hidden_dim": 40_000}]
)
def test_the_config_of_a_preset(changes, tmp_path):
    config = RobertaConfig.named("tiny", vocabulary_size=20, max_sequence_length=8)
    values = {"registered_name": "keras_roberta>RobertaBackbone"}
    values["config"] = {"config": config.replace(**changes).to_dict()}
    (tmp_path / "config.json").write_text(json.dumps(values))
    with h5py.File(tmp_path / "model.weights.h5", "w") as h5:
        h5["a"] = np.zeros(2000, np.float32)
    with pytest.raises(InputError, match="its weights have 2,000; they are not of one model"):
        kr.RobertaBackbone.from_preset(tmp_path)


def test_a_dataset_without_data(tmp_path):
    config = RobertaConfig.named("tiny", vocabulary_size=10_000_000)
    values = {"registered_name": "keras_roberta>RobertaBackbone"}
    values["config"] = {"config": config.to_dict()}
    (tmp_path / "config.json").write_text(json.dumps(values))
    with h5py.File(tmp_path / "model.weights.h5", "w") as h5:
        h5.create_dataset("a", (10**10,), "f4", chunks=(10**6,), compression="gzip")
    with pytest.raises(InputError, match="next to no data"):
        kr.RobertaBackbone.from_preset(tmp_path)


def test_many_names_of_classes():
    names = {str(i): f"name {i}" for i in range(50_000)}
    assert len(label_names({"id2label": names})) == 50_000
    with pytest.raises(InputError, match="label2id must give a number"):
        label_names({"label2id": {f"a{i}": i * (2**61 - 1) for i in range(50_000)}})
