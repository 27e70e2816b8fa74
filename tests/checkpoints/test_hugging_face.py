"""Hugging Face's names and layouts: there, back, and what is said of other checkpoints."""

import json

import numpy as np
import pytest

from keras_roberta.checkpoints import hugging_face
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError

CONFIG = RobertaConfig(
    vocabulary_size=11,
    num_layers=2,
    num_heads=2,
    hidden_dim=4,
    intermediate_dim=6,
    max_sequence_length=7,
    num_token_types=1,
)
SHAPES = {
    "roberta.embeddings.word_embeddings.weight": (11, 4),
    "roberta.embeddings.position_embeddings.weight": (9, 4),
    "roberta.embeddings.token_type_embeddings.weight": (1, 4),
    "roberta.embeddings.LayerNorm.weight": (4,),
    "roberta.embeddings.LayerNorm.bias": (4,),
}
for layer in range(2):
    prefix = f"roberta.encoder.layer.{layer}"
    for name, outputs, inputs in (
        ("attention.self.query", 4, 4),
        ("attention.self.key", 4, 4),
        ("attention.self.value", 4, 4),
        ("attention.output.dense", 4, 4),
        ("intermediate.dense", 6, 4),
        ("output.dense", 4, 6),
    ):
        SHAPES[f"{prefix}.{name}.weight"] = (outputs, inputs)
        SHAPES[f"{prefix}.{name}.bias"] = (outputs,)
    for name in ("attention.output.LayerNorm", "output.LayerNorm"):
        SHAPES[f"{prefix}.{name}.weight"] = SHAPES[f"{prefix}.{name}.bias"] = (4,)
CLASSIFIER = {
    "classifier.dense.weight": (4, 4),
    "classifier.dense.bias": (4,),
    "classifier.out_proj.weight": (3, 4),
    "classifier.out_proj.bias": (3,),
}
MASKED_LM = {
    "lm_head.dense.weight": (4, 4),
    "lm_head.dense.bias": (4,),
    "lm_head.layer_norm.weight": (4,),
    "lm_head.layer_norm.bias": (4,),
    "lm_head.bias": (11,),
}


def random_state(shapes):
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def state():
    return random_state(SHAPES | CLASSIFIER | MASKED_LM)


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
        assert found[name].flags.c_contiguous


def test_the_layout_is_ours(state):
    weights = hugging_face.load_encoder_weights(state, CONFIG)
    attention = "roberta.encoder.layer.1.attention"
    query, key, value = (state[f"{attention}.self.{x}.weight"] for x in ("query", "key", "value"))
    x = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(
        x @ weights["encoder/block_1/attention/query_key_value/kernel"],
        np.concatenate([x @ query.T, x @ key.T, x @ value.T], axis=-1),
        rtol=1e-5,
    )
    np.testing.assert_array_equal(
        weights["encoder/block_1/attention/query_key_value/bias"][4:8],
        state[f"{attention}.self.key.bias"],
    )
    np.testing.assert_array_equal(
        weights["encoder/block_1/attention_layer_norm/gamma"],
        state[f"{attention}.output.LayerNorm.weight"],
    )
    assert weights["encoder/block_0/intermediate/kernel"].shape == (4, 6)
    assert weights["embeddings/position"].shape == (9, 4)


def test_there_and_back(state):
    weights = hugging_face.load_encoder_weights(state, CONFIG)
    classifier = hugging_face.load_classifier_head(state)
    masked_lm = hugging_face.load_masked_lm_head(state)
    assert_same(hugging_face.to_hugging_face(weights, classifier, masked_lm), state)


def test_a_linear_head_there_and_back():
    state = random_state(SHAPES | {"qa_outputs.weight": (2, 4), "qa_outputs.bias": (2,)})
    weights = hugging_face.load_encoder_weights(state, CONFIG)
    head = hugging_face.load_linear_head(state, "qa_outputs")
    assert head["out/kernel"].shape == (4, 2)
    back = hugging_face.to_hugging_face(weights, linear=head, linear_name="qa_outputs")
    assert_same(back, state)


def test_all_spellings_give_the_same(state):
    expected = hugging_face.load_encoder_weights(state, CONFIG)
    bare = {name.removeprefix("roberta."): array for name, array in state.items()}
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): array
        for name, array in state.items()
    }
    buffers = {"roberta.embeddings.position_ids": np.arange(9)[None], **state}
    pooled = {"roberta.pooler.dense.weight": np.zeros((4, 4)), **state}
    for spelling in (bare, old, buffers, pooled):
        assert_same(hugging_face.load_encoder_weights(spelling, CONFIG), expected)


def test_heads_that_are_not_there():
    state = random_state(SHAPES | {"classifier.weight": (2, 4), "classifier.bias": (2,)})
    assert hugging_face.load_classifier_head(state) is None
    assert hugging_face.load_masked_lm_head(state) is None
    assert hugging_face.load_linear_head(state, "qa_outputs") is None
    assert hugging_face.load_linear_head(state, "classifier")["out/bias"].shape == (2,)


def test_the_output_bias_has_two_names(state):
    expected = hugging_face.load_masked_lm_head(state)
    state["lm_head.decoder.bias"] = state.pop("lm_head.bias")
    assert_same(hugging_face.load_masked_lm_head(state), expected)


def test_the_output_matrix_must_be_tied(state):
    embedding = state["roberta.embeddings.word_embeddings.weight"]
    state["lm_head.decoder.weight"] = embedding
    hugging_face.load_masked_lm_head(state)
    state["lm_head.decoder.weight"] = embedding + 1
    with pytest.raises(InputError, match="lm_head.decoder.weight differs"):
        hugging_face.load_masked_lm_head(state)


def test_missing_tensors_are_named(state):
    del state["roberta.encoder.layer.1.attention.self.key.bias"]
    del state["roberta.embeddings.LayerNorm.weight"]
    with pytest.raises(InputError) as caught:
        hugging_face.load_encoder_weights(state, CONFIG)
    assert "roberta.encoder.layer.1.attention.self.key.bias" in str(caught.value)
    assert "roberta.embeddings.LayerNorm.weight" in str(caught.value)
    for load, name in (
        (hugging_face.load_classifier_head, "classifier.dense.weight"),
        (hugging_face.load_classifier_head, "classifier.out_proj.bias"),
        (hugging_face.load_masked_lm_head, "lm_head.dense.weight"),
        (hugging_face.load_masked_lm_head, "lm_head.bias"),
    ):
        with pytest.raises(InputError, match=f"lacks {name}"):
            load({other: array for other, array in state.items() if other != name})


def test_another_number_of_layers_is_named(state):
    with pytest.raises(InputError, match=r"lacks roberta.encoder.layer.2.* and 10 more"):
        hugging_face.load_encoder_weights(state, CONFIG.replace(num_layers=3))
    with pytest.raises(InputError, match=r"no place for: roberta.encoder.layer.1.*"):
        hugging_face.load_encoder_weights(state, CONFIG.replace(num_layers=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(vocabulary_size=12), r"word_embeddings.weight has the shape \(11, 4\); .* \(12, 4\)"),
        (dict(max_sequence_length=8), r"position_embeddings.weight .* \(9, 4\); .* \(10, 4\)"),
        (dict(intermediate_dim=7), r"intermediate.dense.weight .* \(6, 4\); expected \(7, 4\)"),
    ],
)
def test_another_shape_is_named(state, change, message):
    with pytest.raises(InputError, match=message):
        hugging_face.load_encoder_weights(state, CONFIG.replace(**change))


def test_heads_must_fit_themselves(state):
    state["classifier.out_proj.bias"] = np.zeros(4, np.float32)
    with pytest.raises(InputError, match=r"classifier.out_proj.bias .* \(4,\); expected \(3,\)"):
        hugging_face.load_classifier_head(state)
    state["lm_head.layer_norm.bias"] = np.zeros((4, 1), np.float32)
    with pytest.raises(InputError, match=r"lm_head.layer_norm.bias .* \(4, 1\); expected \(4,\)"):
        hugging_face.load_masked_lm_head(state)


def test_saving_wants_all_weights(state):
    weights = hugging_face.load_encoder_weights(state, CONFIG)
    del weights["encoder/block_0/output/bias"]
    with pytest.raises(InputError, match="encoder/block_0/output/bias"):
        hugging_face.to_hugging_face(weights)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "missing"),
        ("{", "not JSON"),
        ("[]", "object"),
        ("\ud800".encode("utf-8", "surrogatepass"), "not JSON"),
        ('{"model_type": "bert"}', "'bert'"),
        ("{}", "None"),
        ('{"model_type": []}', "model_type"),
    ],
)
def test_a_bad_config_is_named(tmp_path, content, message):
    path = tmp_path / "config.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        hugging_face.read_config(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("model_type", hugging_face.MODEL_TYPES)
def test_reads_a_config(tmp_path, model_type):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type, "x": 1}))
    assert hugging_face.read_config(tmp_path) == {"model_type": model_type, "x": 1}
