import shutil
import types

import keras
import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.errors import InputError


def features(rows=3, length=7, vocabulary=300):
    random = np.random.default_rng(0)
    mask = (np.arange(length) < random.integers(2, length + 1, (rows, 1))).astype("int32")
    return {
        "token_ids": random.integers(5, vocabulary, (rows, length), dtype="int32"),
        "padding_mask": mask,
    }


def test_output_and_names(config):
    backbone = kr.RobertaBackbone(config)
    assert backbone(features()).shape == (3, 7, 32)
    named = backbone.weights_by_name()
    assert {id(v) for v in named.values()} == {id(v) for v in backbone.weights}
    assert named["encoder/block_1/attention/query_key_value/kernel"].shape == (32, 96)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_preset_round_trip(config, dtype, tmp_path):
    backbone = kr.RobertaBackbone(config, dtype=dtype)
    backbone.save_to_preset(tmp_path / "preset")
    again = kr.RobertaBackbone.from_preset(tmp_path / "preset", dtype=dtype)
    assert again.config == config and again.dtype_policy.name == dtype
    np.testing.assert_array_equal(
        np.asarray(again(features()), "float32"), np.asarray(backbone(features()), "float32")
    )
    random_start = kr.RobertaBackbone.from_preset(
        tmp_path / "preset", load_weights=False, dtype="float32"
    )
    assert random_start.dtype_policy.name == "float32"


def test_a_preset_that_there_is_no_room_for(config, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=9000))
    with pytest.raises(InputError, match="preset: cannot be written .it takes .* MB.*; make room"):
        kr.RobertaBackbone(config).save_to_preset(tmp_path / "preset")
    assert list(tmp_path.iterdir()) == []


def test_keras_file_round_trip(config, tmp_path):
    backbone = kr.RobertaBackbone(config)
    backbone.save(tmp_path / "backbone.keras")
    again = keras.models.load_model(tmp_path / "backbone.keras")
    np.testing.assert_array_equal(again(features()), backbone(features()))


def test_packed_rows(config):
    packed = kr.RobertaBackbone(config, optional_inputs=("segment_ids",))
    alone = kr.RobertaBackbone(config)
    ids = np.array([[0, 9, 8, 2, 0, 7, 2]], "int32")
    segments = np.array([[1, 1, 1, 1, 2, 2, 2]], "int32")
    ones = np.ones_like(ids)
    out = packed({"token_ids": ids, "padding_mask": ones, "segment_ids": segments})
    for part in (slice(0, 4), slice(4, 7)):
        expected = alone({"token_ids": ids[:, part], "padding_mask": ones[:, part]})
        np.testing.assert_allclose(np.asarray(out)[:, part], expected, atol=1e-5)
    with pytest.raises(ValueError, match="optional_inputs"):
        kr.RobertaBackbone(config, optional_inputs=("images",))


def test_lora_trains_little_and_survives_saving(config, tmp_path):
    backbone = kr.RobertaBackbone(config)
    everything = sum(int(np.prod(w.shape)) for w in backbone.trainable_weights)
    before = np.asarray(backbone(features()))
    backbone.enable_lora(2)
    trainable = backbone.trainable_weights
    assert 0 < sum(int(np.prod(w.shape)) for w in trainable) < everything / 10
    for weight in trainable:
        weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    after = np.asarray(backbone(features()))
    assert not np.allclose(before, after)
    backbone.save_lora_weights(tmp_path / "adapter.lora.h5")
    again = kr.RobertaBackbone(config)
    again.load_lora_weights(tmp_path / "adapter.lora.h5")
    np.testing.assert_allclose(again(features()), after, atol=1e-5)
