"""Models for longer sequences than their preset was trained on."""

import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.checkpoints.keras_preset import KerasPreset
from keras_roberta.errors import InputError
from keras_roberta.models.extended_positions import extended_positions


@pytest.fixture
def preset(config, tokenizer, tmp_path):
    preprocessor = kr.RobertaPreprocessor(tokenizer, config.max_sequence_length)
    task = kr.RobertaTextClassifier(
        kr.RobertaBackbone(config), num_classes=2, preprocessor=preprocessor
    )
    task.save_to_preset(tmp_path / "preset")
    return tmp_path / "preset"


@pytest.fixture
def hugging_face(config, tmp_path):
    kr.RobertaBackbone(config).save_to_hugging_face(tmp_path / "hf")
    return tmp_path / "hf"


def table_of(backbone):
    return np.asarray(backbone.weights_by_name()["embeddings/position"])


def test_copies_and_stretches():
    table = np.array([[-2.0], [-1.0], [0.0], [10.0], [20.0]])  # two rows for padding
    copied = extended_positions(table, 7, 2)[:, 0]
    np.testing.assert_array_equal(copied, [-2, -1, 0, 10, 20, 0, 10, 20, 0])
    stretched = extended_positions(table, 5, 2, "interpolate")[:, 0]
    np.testing.assert_array_equal(stretched, [-2, -1, 0, 5, 10, 15, 20])
    for how in ("copy", "interpolate"):
        np.testing.assert_array_equal(extended_positions(table, 3, 2, how), table)
        assert extended_positions(table.astype("float32"), 9, 2, how).dtype == "float32"


@pytest.mark.parametrize("source", ["preset", "hugging_face"])
def test_short_texts_are_encoded_as_before(source, request, config):
    source = request.getfixturevalue(source)
    random = np.random.default_rng(0)
    inputs = {
        "token_ids": random.integers(5, 300, (3, 32), dtype="int32"),
        "padding_mask": (np.arange(32) < [[32], [20], [1]]).astype("int32"),
    }
    original = kr.RobertaBackbone.from_preset(source)
    for attention, tolerance in (("plain", 0), ("blocks", 1e-5)):
        longer = kr.RobertaBackbone.from_preset(
            source, max_sequence_length=2048, attention=attention
        )
        assert longer.config.max_sequence_length == 2048
        np.testing.assert_allclose(longer(inputs), original(inputs), rtol=0, atol=tolerance)
    stretched = kr.RobertaBackbone.from_preset(
        source, max_sequence_length=63, extend_positions="interpolate"
    )
    np.testing.assert_allclose(table_of(stretched)[2::2], table_of(original)[2:], atol=1e-6)


def test_a_task_trains_on_2048_tokens(preset):
    task = kr.RobertaTextClassifier.from_preset(preset, max_sequence_length=2048, remat=True)
    assert task.preprocessor.sequence_length == 2048
    texts = ["a fine film " * 1500, "a dull film " * 1500]
    assert task.preprocessor(texts)["token_ids"].shape == (2, 2048)
    before = table_of(task.backbone)
    history = task.fit(texts, [1, 0], batch_size=2, epochs=3, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    moved = np.abs(table_of(task.backbone) - before).max(axis=1)
    assert moved[2:].min() > moved[:2].max()  # those of padding only decay


def test_settings_of_a_preset_can_be_changed(preset):
    task = kr.RobertaTextClassifier.from_preset(
        preset, max_sequence_length=64, sequence_length=48, attention="blocks", remat=True
    )
    config = task.backbone.config
    assert (config.attention, config.remat, task.preprocessor.sequence_length) == (
        "blocks",
        True,
        48,
    )
    copy = kr.RobertaBackbone.from_config(task.backbone.get_config())
    assert copy.config == config
    task = kr.RobertaTextClassifier.from_preset(preset, encoder_dropout=0.3, num_classes=2)
    config = task.backbone.config
    assert (config.dropout, config.attention_dropout, task.dropout) == (0.3, 0.3, None)
    for rates, expected in (({}, (0.1, 0.2)), ({"encoder_dropout": 0.3}, (0.3, 0.2))):
        rates["attention_dropout"] = 0.2
        task = kr.RobertaTextClassifier.from_preset(preset, False, num_classes=2, **rates)
        config = task.backbone.config
        assert (config.dropout, config.attention_dropout) == expected
    assert kr.RobertaBackbone.from_preset(preset).config.remat is False


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(max_sequence_length=16), "the model has 32 positions"),
        (dict(max_sequence_length=0), "max_sequence_length must be at least 1"),
        (dict(max_sequence_length="long"), "max_sequence_length must be an integer"),
        (dict(max_sequence_length=64, extend_positions="zeros"), "extend_positions must be one of"),
        (dict(attention="sparse"), "attention must be one of"),
        (dict(encoder_dropout=1.0), "dropout must be in"),
        (dict(remat="yes"), "remat must be True or False"),
    ],
)
def test_settings_that_do_not_fit_are_named(preset, settings, message):
    with pytest.raises(InputError, match=message):
        kr.RobertaTextClassifier.from_preset(preset, **settings)


def test_packed_rows_of_2048_tokens(config):
    """Documents of a row that goes in blocks are encoded as each alone."""
    config = config.replace(max_sequence_length=2048)
    packed = kr.RobertaBackbone(config, optional_inputs=("segment_ids",))
    alone = kr.RobertaBackbone(config)
    ids = np.random.default_rng(0).integers(5, 300, (1, 2048), dtype="int32")
    ones, segments = np.ones_like(ids), 1 + (np.arange(2048) >= 1500)[None].astype("int32")
    out = packed({"token_ids": ids, "padding_mask": ones, "segment_ids": segments})
    for part in (slice(0, 1500), slice(1500, 2048)):
        expected = alone({"token_ids": ids[:, part], "padding_mask": ones[:, part]})
        np.testing.assert_allclose(np.asarray(out)[:, part], expected, atol=1e-5)
    assert tf.reduce_all(tf.math.is_finite(out))


def test_too_few_positions_are_named_before_weights_are_read(preset, monkeypatch):
    def opened(checkpoint, backbone):
        raise AssertionError("weights are read")

    monkeypatch.setattr(KerasPreset, "load_backbone_weights", opened)
    with pytest.raises(InputError, match="has 32 positions, and none are taken away"):
        kr.RobertaBackbone.from_preset(preset, max_sequence_length=16)
