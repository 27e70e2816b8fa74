"""Parity with Transformers: arrays that it computed from the same weights."""

import json
import pathlib

import keras
import numpy as np
import pytest

import keras_roberta as kr

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "tiny_roberta.npz")


@pytest.fixture(scope="module")
def inputs(golden):
    return {
        "token_ids": golden["token_ids"],
        "padding_mask": golden["padding_mask"].astype("int32"),
    }


def test_every_hidden_state(golden, inputs):
    backbone = kr.RobertaBackbone.from_preset(GOLDEN / "tiny-roberta")
    embedded = backbone.embeddings(**inputs)
    states = backbone.encoder(embedded, inputs["padding_mask"], return_hidden_states=True)
    for ours, theirs in zip([embedded, *states], golden["hidden_states"], strict=True):
        real = golden["padding_mask"]
        np.testing.assert_allclose(np.asarray(ours)[real], theirs[real], atol=TOLERANCE)


def test_classifier_logits(golden, inputs):
    task = kr.RobertaTextClassifier.from_preset(GOLDEN / "tiny-roberta", preprocessor=None)
    assert task.num_classes == 3
    np.testing.assert_allclose(task(inputs), golden["classifier_logits"], atol=TOLERANCE)


def test_masked_lm_logits(golden, inputs):
    task = kr.RobertaMaskedLM.from_preset(GOLDEN / "tiny-roberta-mlm", preprocessor=None)
    positions = np.broadcast_to(np.arange(24, dtype="int32"), (6, 24))
    logits = np.asarray(task({**inputs, "mask_positions": positions}))
    real = golden["padding_mask"]
    np.testing.assert_allclose(logits[real], golden["masked_lm_logits"][real], atol=TOLERANCE)


def test_reference_embeddings_of_a_real_checkpoint(data_directory):
    preset = data_directory / "granite-30m"
    reference = json.loads((preset / "reference_embeddings.json").read_text())
    features = kr.RobertaPreprocessor(kr.RobertaTokenizer.from_preset(preset))(list(reference))
    vectors = np.asarray(kr.RobertaBackbone.from_preset(preset)(features))[:, 0]
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (vectors * np.array(list(reference.values()))).sum(axis=1)
    assert cosines.min() >= 0.9999
    keras.backend.clear_session()
