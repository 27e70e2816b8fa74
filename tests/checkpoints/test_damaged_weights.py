"""Weights that no model can compute with: not finite, whole numbers, complex, elsewhere."""

import json
import shutil

import h5py
import numpy as np
import pytest
from hugging_face_files import SHAPES, random_state, write_checkpoint

import keras_roberta as kr
from keras_roberta.checkpoints.safetensors_files import write_safetensors
from keras_roberta.errors import InputError

QUERY = "roberta.encoder.layer.1.attention.self.query.weight"
TINY = dict(
    vocabulary_size=11, num_layers=1, num_heads=2, hidden_dim=4, intermediate_dim=6,
    max_sequence_length=8,
)  # fmt: skip


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_numbers_that_are_not_finite(number, dtype, tmp_path):
    write_checkpoint(tmp_path, {})
    state = {name: array.astype(dtype) for name, array in random_state(SHAPES).items()}
    state[QUERY][2, 3] = number
    write_safetensors(tmp_path / "model.safetensors", state)
    with pytest.raises(InputError) as caught:
        kr.RobertaBackbone.from_preset(tmp_path)
    assert f"{QUERY}: 1 of its numbers are not finite" in str(caught.value)
    assert f"{number}, at [2, 3]" in str(caught.value) and str(tmp_path) in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_numbers_too_large_for_float16(tmp_path):
    write_checkpoint(tmp_path, {})
    state = random_state(SHAPES)
    state[QUERY][2, 3] = 70_000
    write_safetensors(tmp_path / "model.safetensors", state)
    with pytest.raises(InputError, match="too large for float16, open the model in bfloat16"):
        kr.RobertaBackbone.from_preset(tmp_path, dtype="float16")


def test_large_finite_numbers_are_no_error(tmp_path):
    write_checkpoint(tmp_path, {})
    state = random_state(SHAPES)
    state[QUERY][:] = 3e38  # whose sum is infinite
    write_safetensors(tmp_path / "model.safetensors", state)
    kr.RobertaBackbone.from_preset(tmp_path)


def test_whole_numbers(tmp_path):
    write_checkpoint(tmp_path, {})
    state = random_state(SHAPES)
    state[QUERY] = np.ones((4, 4), np.int32)
    write_safetensors(tmp_path / "model.safetensors", state)
    with pytest.raises(InputError, match=f"{QUERY} is stored as int32"):
        kr.RobertaBackbone.from_preset(tmp_path)


# Presets


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    directory = tmp_path_factory.mktemp("preset")
    kr.RobertaBackbone(kr.RobertaConfig(**TINY)).save_to_preset(directory)
    return directory


@pytest.fixture
def preset(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "preset")
    return tmp_path / "preset"


def first_dataset(h5):
    names = []
    h5.visititems(lambda name, item: names.append(name) if hasattr(item, "dtype") else None)
    return names[0]


def replaced(preset, make):
    """Puts what `make` gives of a dataset's array in its place."""
    with h5py.File(preset / "model.weights.h5", "r+") as h5:
        name = first_dataset(h5)
        array = h5[name][()]
        del h5[name]
        h5[name] = make(array)
    return name


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda x: x.astype("complex64"), "is stored as complex64; weights are floating-point"),
        (lambda x: x.astype("int32"), "is stored as int32; weights are floating-point"),
        (lambda x: x.astype("S4"), "weights are floating-point"),
        (lambda x: np.full_like(x, np.nan), "numbers are not finite"),
        (lambda x: h5py.SoftLink("/"), "points elsewhere"),
        (lambda x: h5py.ExternalLink("/etc/hostname", "/"), "points elsewhere"),
    ],
)
def test_a_preset_of_other_weights(make, says, preset):
    replaced(preset, make)
    with pytest.raises(InputError, match=says) as caught:
        kr.RobertaBackbone.from_preset(preset)
    assert "model.weights.h5" in str(caught.value)


def test_the_cause_of_an_error_of_keras_is_kept(preset):
    replaced(preset, lambda x: np.stack([x, x]))
    with pytest.raises(InputError, match="does not hold this model's weights") as caught:
        kr.RobertaBackbone.from_preset(preset)
    assert isinstance(caught.value.__cause__, ValueError)
    # Not only how many objects it is about, which is all that Keras's first line says.
    assert "Layer '" in str(caught.value) and "variables" in str(caught.value)
    assert "\n" not in str(caught.value) and "List of objects" not in str(caught.value)


def test_data_of_another_file(preset):
    (preset / "secret").write_bytes(bytes(1000))
    with h5py.File(preset / "model.weights.h5", "r+") as h5:
        name = first_dataset(h5)
        shape = h5[name].shape
        del h5[name]
        h5.create_dataset(name, shape, "f4", external=[(str(preset / "secret"), 0, 1000)])
    with pytest.raises(InputError, match="holds no numbers of its own"):
        kr.RobertaBackbone.from_preset(preset)


# What a dict of a preset may make


@pytest.mark.parametrize(
    "policy",
    [
        {"class_name": "DTypePolicyMap", "module": "builtins", "config": {}},
        {"class_name": "Lambda", "module": "keras.layers", "config": {}},
        {"class_name": "DTypePolicyMap", "config": {"policy_map": {"a": {"class_name": "Dense"}}}},
        {"class_name": "DTypePolicyMap", "registered_name": "a>B", "config": {}},
        3,
    ],
)
def test_a_dtype_that_is_no_policy(policy, preset):
    values = json.loads((preset / "config.json").read_text())
    values["config"]["dtype"] = policy
    (preset / "config.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match="config.dtype: expected a dtype policy of Keras"):
        kr.RobertaBackbone.from_preset(preset)
