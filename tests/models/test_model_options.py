"""Encoders that RoBERTa has no settings for: shared weights, narrow embeddings, norms in front."""

import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.checkpoints import protocol
from keras_roberta.checkpoints.formats import format_named
from keras_roberta.checkpoints.hdf5_weights import count_stored_numbers
from keras_roberta.errors import InputError
from keras_roberta.models.kept_layers import copy_layers
from keras_roberta.training.layers_to_keep import layers_to_keep

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "options"
OF_GOLDEN = {
    "albert": {"parameter_sharing": "all", "sharing_groups": 2, "embedding_dim": 8},
    "norm_first": {"norm_first": True},
}
IDS = np.array([[0, 9, 8, 7, 2, 1], [0, 5, 2, 1, 1, 1]], "int32")
ALL = {**OF_GOLDEN["albert"], "norm_first": True, "embedding_norm": False}


@pytest.fixture
def config(config):
    return config.replace(num_layers=4, vocabulary_size=50, intermediate_dim=40)


def perturbed(backbone, scale=0.2):
    """The same with random weights: fresh biases and norms would hide mistakes."""
    random = np.random.default_rng(4)
    for weight in backbone.weights:
        weight.assign(weight + random.normal(0, scale, weight.shape))
    return backbone


@pytest.mark.parametrize("name", OF_GOLDEN)
def test_as_transformers_computes_it(name):
    golden = dict(np.load(GOLDEN / f"{name}.npz"))
    config = kr.RobertaConfig(40, 4, 2, 16, 24, 16, **OF_GOLDEN[name])
    task = kr.RobertaMaskedLM(kr.RobertaBackbone(config))
    named = task.backbone.weights_by_name()
    named |= {f"head/{name}": weight for name, weight in task.head_weights_by_name().items()}
    for name, weight in named.items():
        weight.assign(golden[name])
    features = {name: golden[name] for name in ("token_ids", "padding_mask")}
    real = golden["padding_mask"] == 1
    states = task.backbone.hidden_states(features)
    for found, expected in zip(states, golden["hidden_states"], strict=True):
        np.testing.assert_allclose(np.asarray(found)[real], expected[real], atol=2e-5)
    everywhere = np.broadcast_to(np.arange(8), (2, 8))
    logits = np.asarray(task({**features, "mask_positions": everywhere}))
    np.testing.assert_allclose(logits[real], golden["logits"][real], atol=2e-5)


@pytest.mark.parametrize(
    ("options", "attentions", "feed_forwards"),
    [
        ({}, 4, 4),
        ({"parameter_sharing": "all"}, 1, 1),
        ({"parameter_sharing": "all", "sharing_groups": 3}, 3, 3),
        ({"parameter_sharing": "attention"}, 1, 4),
        ({"parameter_sharing": "feed_forward", "sharing_groups": 2}, 4, 2),
        (ALL, 2, 2),
    ],
)
def test_how_many_weights_there_are(config, tmp_path, options, attentions, feed_forwards):
    config = config.replace(**options)
    backbone = kr.RobertaBackbone(config)
    kernels = [w for w in backbone.weights if w.path.startswith("encoder") and w.ndim == 2]
    assert len(kernels) == 2 * (attentions + feed_forwards)
    assert len(backbone.trainable_variables) == len(backbone.weights)
    assert config.encoder_parameters == backbone.count_params()
    backbone.save_to_preset(tmp_path / "preset")
    written = count_stored_numbers(tmp_path / "preset" / "model.weights.h5")
    assert written == backbone.count_params()


@pytest.mark.parametrize("remat", [False, True])
def test_the_gradient_of_what_is_shared_is_the_sum_over_the_layers(config, remat):
    config = config.replace(dropout=0.0, attention_dropout=0.0, remat=remat, **ALL)
    shared = perturbed(kr.RobertaBackbone(config))
    apart = kr.RobertaBackbone(config.replace(parameter_sharing="none", sharing_groups=1))
    of_shared, of_apart = shared.weights_by_name(), apart.weights_by_name()
    assert of_shared.keys() == of_apart.keys()
    for name, weight in of_apart.items():
        weight.assign(of_shared[name])

    def gradients(model, named):
        with tf.GradientTape() as tape:
            outputs = model(IDS, training=True)
            loss = tf.reduce_sum(outputs**3)
        variables = {id(weight): weight.value for weight in named.values()}
        found = tape.gradient(loss, variables)
        return outputs, {name: found[id(weight)].numpy() for name, weight in named.items()}

    outputs, found = gradients(shared, of_shared)
    expected_outputs, single = gradients(apart, of_apart)
    np.testing.assert_allclose(outputs, expected_outputs, atol=1e-5)
    for name, gradient in found.items():
        same = [other for other, weight in of_shared.items() if weight is of_shared[name]]
        expected = sum(single[other] for other in same)
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-2, err_msg=name)


def test_what_is_done_to_a_model_with_all_of_them(config, tmp_path):
    backbone = perturbed(kr.RobertaBackbone(config.replace(**ALL)))
    expected = np.asarray(backbone(IDS))
    backbone.save_to_preset(tmp_path / "preset")
    again = kr.RobertaBackbone.from_preset(tmp_path / "preset")
    assert again.config == backbone.config
    np.testing.assert_array_equal(again(IDS), expected)
    longer = kr.RobertaBackbone.from_preset(tmp_path / "preset", max_sequence_length=40)
    np.testing.assert_allclose(longer(IDS), expected, atol=1e-6)
    np.testing.assert_allclose(backbone.resize_vocabulary(57)(IDS), expected, atol=1e-6)
    attentions = np.asarray(backbone.attentions(IDS))
    np.testing.assert_allclose(attentions.sum(axis=-1), 1, atol=1e-5)
    last = kr.RobertaBackbone.from_preset(tmp_path / "preset", num_layers=2)
    np.testing.assert_array_equal(
        last.weights_by_name()["encoder/block_1/output/kernel"],
        backbone.weights_by_name()["encoder/block_3/output/kernel"],
    )
    assert last.config.sharing_groups == 2


def test_fit_and_answers(config):
    """Compiled by XLA, in a task whose output matrix is its own."""
    rows = np.repeat(IDS, 4, axis=0)
    features = {"token_ids": rows, "mask_positions": np.tile([[2, 1]], (8, 1))}
    own = dict(num_layers=2, sharing_groups=1, tie_word_embeddings=False, remat=True)
    config = config.replace(**{**ALL, **own})
    task = kr.RobertaMaskedLM(kr.RobertaBackbone(config))
    task.compile(keras.optimizers.Adam(1e-2), jit_compile=True)
    history = task.fit(features, rows[:, [2, 1]], batch_size=8, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    logits = task.predict({**features, "padding_mask": (rows != 1).astype("int32")}, verbose=0)
    assert logits.shape == (8, 2, 50) and np.isfinite(logits).all()


def test_layers_of_another_model(config, tmp_path):
    config = config.replace(parameter_sharing="attention", sharing_groups=2)
    backbone = kr.RobertaBackbone(config)
    backbone.save_to_preset(tmp_path / "preset")

    def opened(**changes):
        return kr.RobertaBackbone.from_preset(tmp_path / "preset", **changes)

    smaller, of_all = opened(num_layers=2).weights_by_name(), backbone.weights_by_name()
    for name, weight in smaller.items():
        other = name.replace("block_1", "block_3")  # the first and the last
        np.testing.assert_array_equal(weight, of_all[other], err_msg=name)
    assert opened(num_layers=2, trainable=False, name="small").trainable is False
    random = opened(num_layers=3, load_weights=False, parameter_sharing="none", sharing_groups=1)
    assert random.config.num_layers == 3
    for changes, message in [
        ({"num_layers": 5}, "num_layers: the checkpoint has 4 layers; give 1 to 4; got 5"),
        ({"norm_first": True}, "norm_first=True: the weights in .* are of a model with False"),
        ({"embedding_norm": False}, "embedding_norm=False: the weights in"),
        ({"embedding_dim": 8}, "embedding_dim=8: the weights in .* are of a model with None"),
        ({"sharing_groups": 1}, "sharing_groups=1: the weights in .*; load_weights=False"),
        ({"num_heads": 1}, "num_heads=1: the weights in .* are of a model with"),
        ({"hidden_activation": "relu"}, "hidden_activation='relu': the weights in"),
    ]:
        with pytest.raises(InputError, match=message):
            opened(**changes)


def test_any_number_of_layers_of_a_model_that_shares(config):
    groups = 3
    config = config.replace(num_layers=5, parameter_sharing="attention", sharing_groups=groups)
    whole = kr.RobertaBackbone(config)
    of_whole = whole.weights_by_name()
    for num_layers in (2, 4):
        smaller = kr.RobertaBackbone(config.with_layers(num_layers))
        copy_layers(whole, smaller)
        kept = layers_to_keep(num_layers, 5, groups)
        assert kept == sorted(kept) and kept[-1] == 4
        for name, weight in smaller.weights_by_name().items():
            for layer, source in reversed(list(enumerate(kept))):
                name = name.replace(f"block_{layer}/", f"of_{source}/")
            expected = of_whole[name.replace("of_", "block_")]
            np.testing.assert_array_equal(weight, expected, err_msg=name)


def test_shared_weights_take_their_room_in_formats_of_others(config, tmp_path, monkeypatch):
    shared = kr.RobertaBackbone(config.replace(parameter_sharing="all"))
    asked = []
    monkeypatch.setattr(protocol, "check_room", lambda path, size: asked.append(size))
    for name in ("keras", "hugging-face"):
        format_named(name).save(shared, tmp_path / name)
    of_keras, of_hugging_face = asked
    apart = kr.RobertaBackbone.without_weights(config)
    assert of_hugging_face - of_keras == 4 * (apart.count_params() - shared.count_params())


def test_formats_of_others(config, tmp_path, caplog):
    """Shared weights are written as copies; what RoBERTa has no place for is refused."""
    shared = kr.RobertaBackbone(config.replace(parameter_sharing="all"))
    shared.save_to_hugging_face(tmp_path / "hf")
    assert "weights that layers share are written for each layer" in caplog.text
    again = kr.RobertaBackbone.from_preset(tmp_path / "hf")
    assert again.config.parameter_sharing == "none"
    np.testing.assert_allclose(again(IDS), shared(IDS), atol=1e-6)
    everyone = ("hugging-face", "fairseq", "keras-hub")
    for options, named, formats in [
        ({"embedding_dim": 8}, "embedding_dim=8", everyone),
        ({"embedding_norm": False}, "embedding_norm=False", everyone),
        ({"norm_first": True}, "norm_first=True", everyone[1:]),
        (
            {"norm_first": True, "embedding_norm": False},
            "norm_first=True and embedding_norm=False",
            everyone[1:],
        ),
        (
            {"embedding_dim": 8, "norm_first": True},
            "embedding_dim=8 and norm_first=True",
            everyone[1:],
        ),
    ]:
        backbone = kr.RobertaBackbone.without_weights(config.replace(num_layers=1, **options))
        for name in formats:
            with pytest.raises(InputError, match=f"out: {name} has no place for {named}; presets"):
                format_named(name).save(backbone, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_preset_from_before_the_options(config, tmp_path):
    backbone = kr.RobertaBackbone(config)
    backbone.save_to_preset(tmp_path)
    content = json.loads((tmp_path / "config.json").read_text())
    for name in (
        "parameter_sharing",
        "sharing_groups",
        "embedding_dim",
        "norm_first",
        "embedding_norm",
    ):
        del content["config"]["config"][name]
    (tmp_path / "config.json").write_text(json.dumps(content))
    again = kr.RobertaBackbone.from_preset(tmp_path)
    assert again.config == config
    np.testing.assert_array_equal(again(IDS), backbone(IDS))
