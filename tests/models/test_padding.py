"""Padding wherever it stands, models called without some inputs, and what they hold inside.

The expected values are Transformers' own, in tests/golden/variants.
"""

import pathlib

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.errors import InputError

VARIANTS = pathlib.Path(__file__).resolve().parents[1] / "golden" / "variants"


@pytest.fixture(scope="module")
def outputs():
    return dict(np.load(VARIANTS / "outputs.npz"))


@pytest.fixture(scope="module")
def classifier():
    return kr.RobertaTextClassifier.from_preset(VARIANTS / "classifier", preprocessor=None)


@pytest.fixture(scope="module")
def features(outputs):
    return {name: outputs[name].astype("int32") for name in ("token_ids", "padding_mask")}


@pytest.fixture(scope="module")
def expected(outputs):
    """Logits of the rows: the first three are one text, its padding behind, in front, between."""
    logits = outputs["logits/gelu"]
    return logits[[0, 0, 0, 3]]


def test_padding_may_stand_anywhere(classifier, features, expected):
    np.testing.assert_allclose(classifier(features), expected, atol=2e-5)
    np.testing.assert_allclose(classifier.predict(features, verbose=0), expected, atol=2e-5)


def test_every_head_reads_the_first_token(features):
    """The pre-trainer's too, whatever else the encoder's last block is computed for."""
    backbone = kr.RobertaBackbone.from_preset(VARIANTS / "classifier")
    for objectives in (("sop",), ("mlm", "sop"), ("mlm", "sop", "tokens")):
        labels = ("a", "b") if "tokens" in objectives else None
        task = kr.RobertaPretrainer(backbone, objectives, token_labels=labels)
        found = np.asarray(task(features)["sop"])
        np.testing.assert_allclose(found[1:3], found[[0, 0]], atol=1e-6, err_msg=str(objectives))
        assert not np.allclose(found[3], found[0], atol=1e-4)


def test_the_encoder_and_masked_tokens(outputs, features):
    """Transformers' encoder counts tokens too, so its values hold for every row."""
    there = features["padding_mask"] > 0
    backbone = kr.RobertaBackbone.from_preset(VARIANTS / "classifier")
    found = np.asarray(backbone(features))
    np.testing.assert_allclose(found[there], outputs["hidden_states"][-1][there], atol=2e-5)
    masked_lm = kr.RobertaMaskedLM.from_preset(VARIANTS / "untied", preprocessor=None)
    positions = np.array([[1, 3], [3, 4], [3, 1], [5, 2]], "int32")  # of tokens
    found = np.asarray(masked_lm({**features, "mask_positions": positions}))
    expected = np.take_along_axis(outputs["untied_logits"], positions[:, :, None], axis=1)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize(
    "given",
    [
        lambda features: features["token_ids"],
        lambda features: features["token_ids"].tolist(),
        lambda features: features["token_ids"].astype("int64"),
        lambda features: {"token_ids": features["token_ids"]},
        lambda features: {"token_ids": features["token_ids"], "padding_mask": None},
    ],
)
def test_without_a_mask(classifier, features, expected, given):
    """It comes from the padding's id."""
    np.testing.assert_allclose(classifier(given(features)), expected, atol=2e-5)


def test_predict_without_a_mask(classifier, features, expected):
    found = classifier.predict(features["token_ids"], verbose=0)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_optional_inputs_have_defaults(classifier, features):
    config = classifier.backbone.config
    backbone = kr.RobertaBackbone(config, optional_inputs=("token_type_ids", "segment_ids"))
    zeros = np.zeros_like(features["token_ids"])
    all_of_them = {**features, "token_type_ids": zeros, "segment_ids": zeros}
    np.testing.assert_array_equal(backbone(features["token_ids"]), backbone(all_of_them))


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"padding_mask": np.ones((1, 3))}, "token_ids are missing"),
        ({"input_ids": np.ones((1, 3))}, "token_ids are missing.*got input_ids"),
        (np.ones(3, "int32"), r"\(batch, length\); got \(3,\)"),
    ],
)
def test_no_token_ids(classifier, inputs, says):
    for model in (classifier, classifier.backbone):
        with pytest.raises(InputError, match=says):
            model(inputs)


def test_hidden_states_and_attentions(outputs, features):
    backbone = kr.RobertaBackbone.from_preset(VARIANTS / "classifier")
    there = features["padding_mask"] > 0
    states = backbone.hidden_states(features["token_ids"])
    attentions = backbone.attentions(features)
    for found, expected in zip(states, outputs["hidden_states"], strict=True):
        np.testing.assert_allclose(np.asarray(found)[there], expected[there], atol=2e-5)
    for found, expected in zip(attentions, outputs["attentions"], strict=True):
        found, expected = (np.swapaxes(array, 1, 2)[there] for array in (found, expected))
        np.testing.assert_allclose(found, expected, atol=2e-6)  # (tokens, heads, length)


@pytest.mark.parametrize("pad_token_id", [0, 3])
def test_another_padding_id(config, pad_token_id):
    """It says what padding is, and from which row of the table positions count."""
    starts = dict(pad_token_id=pad_token_id, start_token_id=7, max_sequence_length=4)
    backbone = kr.RobertaBackbone(config.replace(**starts))
    tables = backbone.weights_by_name()
    for name in ("token", "position", "token_type"):
        table = tables[f"embeddings/{name}"]
        table.assign(np.eye(*table.shape) if name == "position" else np.zeros(table.shape))
    ids = np.array([[7, 5, 6, 2], [7, 2, pad_token_id, pad_token_id]])
    mask = ids != pad_token_id
    for features in (ids, {"token_ids": ids}, {"token_ids": ids, "padding_mask": mask}):
        found = np.asarray(backbone.hidden_states(features)[0]).argmax(axis=-1)
        expected = np.array([[1, 2, 3, 4], [1, 2, 0, 0]]) + pad_token_id
        np.testing.assert_array_equal(found, expected)
