"""Models that are built without memory, and loaded without random weights beside the file's."""

import keras
import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.checkpoints.tensor_view import (
    TensorView,
    aligned_empty,
    gives_away_memory,
)
from keras_roberta.errors import InputError
from keras_roberta.models.first_values import valued_when_assigned
from keras_roberta.training.keras_internals import has_value


def test_a_model_without_weights_is_counted_and_called_on_symbols(config):
    model = kr.RobertaBackbone.without_weights(config)
    assert not any(has_value(variable) for variable in model.variables)
    built = kr.RobertaBackbone(config)
    assert model.count_params() == built.count_params()
    assert [v.shape for v in model.weights] == [v.shape for v in built.weights]
    symbols = {name: keras.Input((7,), dtype="int32") for name in model.input}
    assert model(symbols).shape == (None, 7, config.hidden_dim)
    # Keras initialises the variables that its own scopes have made; these are none of them.
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with keras.StatelessScope():
        pass
    assert not any(has_value(variable) for variable in model.variables)


@pytest.mark.parametrize(
    "save", ["save", "save_weights", "export", "save_to_preset", "save_to_hugging_face"]
)
def test_a_model_without_weights_is_not_saved(config, tmp_path, save):
    backbone = kr.RobertaBackbone.without_weights(config)
    for model in (backbone, kr.RobertaTextClassifier(backbone, 2)):
        with pytest.raises(InputError, match="of its weights have no values"):
            getattr(model, save)(tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())


def test_ten_billion_parameters_are_built_and_counted():
    config = kr.RobertaConfig.named("xlm-xxl")
    model = kr.RobertaBackbone.without_weights(config)
    assert model.count_params() == config.encoder_parameters > 10**10
    assert model.output.shape == (None, None, 4096)


def test_values_come_with_the_first_assignment(config):
    source = kr.RobertaBackbone(config)
    model = kr.RobertaBackbone.without_weights(config)
    embedding = model.weights_by_name()["embeddings/token"]
    table = np.random.default_rng(0).normal(size=embedding.shape).astype("float32")
    with valued_when_assigned(model):
        embedding.assign(table)
        assert has_value(embedding)
        embedding.assign(table + 1)
    np.testing.assert_array_equal(embedding, table + 1)
    # The others have what their initializers make, among them the states of dropout.
    assert all(has_value(variable) for variable in model.variables)
    for name, weight in model.weights_by_name().items():
        if name != "embeddings/token":
            np.testing.assert_array_equal(weight, source.weights_by_name()[name], err_msg=name)
    assert "assign" not in vars(embedding)


def test_only_what_was_read_for_it_becomes_a_tensor_and_only_once(tmp_path):
    numbers = np.random.default_rng(0).normal(size=(200, 100)).astype("float32")
    path = tmp_path / "numbers"
    numbers.tofile(path)

    def array():
        return TensorView(path, 0, numbers.dtype, numbers.shape).read()

    read = array()
    assert not gives_away_memory(read[:100])
    assert gives_away_memory(np.ascontiguousarray(read))
    assert not gives_away_memory(read) and not gives_away_memory(read.reshape(-1))
    assert gives_away_memory(array())
    assert not gives_away_memory(aligned_empty(20_000, numbers.dtype) + 0)
    for mode in ("r", "r+"):
        assert not gives_away_memory(np.memmap(path, "float32", mode, shape=numbers.shape))


def test_arrays_of_others_are_copied(config, tmp_path):
    """Also those that begin where TensorFlow would share them, and files in memory."""
    config = config.replace(vocabulary_size=2000)
    start = np.random.default_rng(0).normal(size=(2000, 32)).astype("float32")
    buffer = np.empty(start.nbytes + 64, np.uint8)
    aligned = buffer[-buffer.ctypes.data % 64 :][: start.nbytes].view("float32").reshape(2000, 32)
    aligned[:] = start
    np.save(tmp_path / "table.npy", start)
    for array in (
        aligned,
        np.load(tmp_path / "table.npy", mmap_mode="r"),
        np.load(tmp_path / "table.npy", mmap_mode="r+"),
    ):
        model = kr.RobertaBackbone.without_weights(config)
        embedding = model.weights_by_name()["embeddings/token"]
        with valued_when_assigned(model):
            embedding.assign(array)
        if array.flags.writeable:
            array[:] = 0
        np.testing.assert_array_equal(embedding, start)


def test_a_shape_that_does_not_fit_is_kerass_to_name(config):
    model = kr.RobertaBackbone.without_weights(config)
    with pytest.raises(ValueError, match="shape"), valued_when_assigned(model):
        model.weights_by_name()["embeddings/token"].assign(np.zeros((3, 3), "float32"))


@pytest.mark.parametrize("save", ["save_to_hugging_face", "save_to_preset"])
def test_bfloat16_is_never_float32_on_the_way(config, tmp_path, monkeypatch, save):
    backbone = kr.RobertaBackbone(config)
    getattr(backbone, save)(tmp_path / "model")
    read, seen = TensorView.read, []

    def watched(view, dtype=None):
        seen.append(read(view, dtype))
        return seen[-1]

    monkeypatch.setattr(TensorView, "read", watched)
    half = kr.RobertaBackbone.from_preset(tmp_path / "model", dtype="bfloat16")
    assert {str(array.dtype) for array in seen} <= {"bfloat16"}
    for name, weight in half.weights_by_name().items():
        expected = keras.ops.cast(backbone.weights_by_name()[name], "bfloat16")
        assert weight.dtype == "bfloat16"
        np.testing.assert_array_equal(weight, expected, err_msg=name)
    # And it is written as it is.
    half.save_to_hugging_face(tmp_path / "half")
    again = kr.RobertaBackbone.from_preset(tmp_path / "half")
    for name, weight in again.weights_by_name().items():
        assert weight.dtype == "float32"
        expected = np.asarray(half.weights_by_name()[name]).astype("float32")
        np.testing.assert_array_equal(weight, expected, err_msg=name)
