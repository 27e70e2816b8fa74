"""Hugging Face's names and layouts: there, back, and what is said of other checkpoints."""

import json
import shutil

import numpy as np
import pytest
from hugging_face_files import (
    CLASSIFIER,
    CONFIG,
    MASKED_LM,
    SHAPES,
    random_state,
    write_checkpoint,
)
from sentencepiece_models import trained_tokenizer

from keras_roberta.checkpoints import hugging_face, hugging_face_weights
from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.checkpoints.hugging_face_families import FAMILIES
from keras_roberta.checkpoints.hugging_face_names import (
    OUTPUT_PROJECTION,
    HuggingFaceHead,
    classifier_weights,
    encoder_weights,
    linear_head_weights,
    masked_lm_weights,
)
from keras_roberta.checkpoints.hugging_face_weights import has_own_output_matrix
from keras_roberta.errors import InputError
from keras_roberta.hugging_face_config import MODEL_TYPES

ROBERTA = FAMILIES["roberta"]
CLASSIFIER_HEAD = HuggingFaceHead(
    "RobertaForSequenceClassification", classifier_weights, ("classifier.dense.",)
)
MASKED_LM_HEAD = HuggingFaceHead(
    "RobertaForMaskedLM", masked_lm_weights, ("lm_head.",), tied=OUTPUT_PROJECTION
)


def linear_head(source):
    return HuggingFaceHead("RobertaForAny", lambda: linear_head_weights(source), (f"{source}.",))


class Variable:
    """What weights are assigned to, without Keras."""

    dtype = "float32"

    def __init__(self, shape):
        self.shape = shape

    def assign(self, value):
        self.value = value


def load_encoder(state, config=CONFIG):
    """The encoder's weights by our names."""
    variables = {weight.name: Variable(shape_of(weight)) for weight in encoder_weights(config)}
    hugging_face_weights.load_encoder_into(variables, state, config)
    return {name: variable.value for name, variable in variables.items()}


def load_head(state, head, config=CONFIG):
    """A head's weights by our names."""
    zeros = hugging_face_weights.zeros_of_head(state, head, config)
    variables = {name: Variable(array.shape) for name, array in zeros.items()}
    hugging_face_weights.load_head_into(variables, state, head, config)
    return {name: variable.value for name, variable in variables.items()}


def shape_of(weight):
    """Of ours."""
    shape = weight.shape[::-1] if weight.name.endswith("/kernel") else weight.shape
    return (*shape[:-1], len(weight.sources) * shape[-1])


@pytest.fixture
def state():
    return random_state(SHAPES | CLASSIFIER | MASKED_LM)


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
        assert found[name].flags.c_contiguous


def test_the_layout_is_ours(state):
    weights = load_encoder(state)
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


@pytest.mark.parametrize("head", [CLASSIFIER_HEAD, MASKED_LM_HEAD, linear_head("qa_outputs")])
def test_there_and_back(head):
    own = {
        CLASSIFIER_HEAD.architecture: CLASSIFIER,
        MASKED_LM_HEAD.architecture: MASKED_LM,
    }.get(head.architecture, {"qa_outputs.weight": (2, 4), "qa_outputs.bias": (2,)})
    state = random_state(SHAPES | own)
    weights = load_encoder(state)
    loaded = load_head(state, head)
    written = hugging_face_weights.to_hugging_face(weights, CONFIG, head.weights(), loaded)
    assert set(written) == set(state)
    for name, array in state.items():  # views, which are laid out as they are written
        np.testing.assert_array_equal(written[name], array, err_msg=name)


def test_a_linear_head_is_transposed():
    state = random_state(SHAPES | {"qa_outputs.weight": (2, 4), "qa_outputs.bias": (2,)})
    loaded = load_head(state, linear_head("qa_outputs"))
    np.testing.assert_array_equal(loaded["out/kernel"], state["qa_outputs.weight"].T)


def test_all_spellings_give_the_same(state):
    expected = load_encoder(state)
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
        assert_same(load_encoder(spelling), expected)


def test_other_tensors_by_kind(state):
    state["roberta.pooler.dense.weight"] = np.zeros((4, 4))
    state["roberta.embeddings.position_ids"] = np.arange(9)[None]
    heads, pooler = hugging_face_weights.head_and_pooler(state, ROBERTA)
    assert set(heads) == set(CLASSIFIER | MASKED_LM)
    assert pooler == ["roberta.pooler.dense.weight"]


def test_the_output_bias_has_two_names(state):
    expected = load_head(state, MASKED_LM_HEAD)
    state["lm_head.decoder.bias"] = state.pop("lm_head.bias")
    assert_same(load_head(state, MASKED_LM_HEAD), expected)


def test_whether_the_output_matrix_is_the_embedding(state):
    embedding = state["roberta.embeddings.word_embeddings.weight"]
    assert not has_own_output_matrix(state, ROBERTA)
    state["lm_head.decoder.weight"] = embedding
    assert not has_own_output_matrix(state, ROBERTA)
    state["lm_head.decoder.weight"] = embedding + 1
    assert has_own_output_matrix(state, ROBERTA)
    untied = load_head(state, MASKED_LM_HEAD, CONFIG.replace(tie_word_embeddings=False))
    np.testing.assert_array_equal(untied["output_projection"], embedding + 1)


def test_missing_tensors_are_named(state):
    del state["roberta.encoder.layer.1.attention.self.key.bias"]
    del state["roberta.embeddings.LayerNorm.weight"]
    with pytest.raises(InputError) as caught:
        load_encoder(state)
    assert "roberta.encoder.layer.1.attention.self.key.bias" in str(caught.value)
    assert "roberta.embeddings.LayerNorm.weight" in str(caught.value)
    for head, name in (
        (CLASSIFIER_HEAD, "classifier.dense.weight"),
        (CLASSIFIER_HEAD, "classifier.out_proj.bias"),
        (MASKED_LM_HEAD, "lm_head.dense.weight"),
        (MASKED_LM_HEAD, "lm_head.bias"),
    ):
        with pytest.raises(InputError, match=f"lacks {name}"):
            load_head({k: array for k, array in state.items() if k != name}, head)


def test_another_number_of_layers_is_named(state):
    with pytest.raises(InputError, match=r"lacks roberta.encoder.layer.2.* and 10 more"):
        load_encoder(state, CONFIG.replace(num_layers=3))
    with pytest.raises(InputError, match=r"no place for: roberta.encoder.layer.1.*"):
        load_encoder(state, CONFIG.replace(num_layers=1))


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
        load_encoder(state, CONFIG.replace(**change))


def test_heads_must_fit_themselves(state):
    state["classifier.out_proj.bias"] = np.zeros(4, np.float32)
    with pytest.raises(InputError, match=r"classifier.out_proj.bias .* \(4,\); expected \(3,\)"):
        load_head(state, CLASSIFIER_HEAD)
    state["lm_head.layer_norm.bias"] = np.zeros((4, 1), np.float32)
    with pytest.raises(InputError, match=r"lm_head.layer_norm.bias .* \(4, 1\); expected \(4,\)"):
        load_head(state, MASKED_LM_HEAD)


def test_saving_wants_all_weights(state):
    weights = load_encoder(state)
    del weights["encoder/block_0/output/bias"]
    with pytest.raises(InputError, match="encoder/block_0/output/bias"):
        hugging_face_weights.to_hugging_face(weights, CONFIG)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("{", "not JSON"),
        ("[]", "object"),
        ("\ud800".encode("utf-8", "surrogatepass"), "not JSON"),
        ('{"model_type": "bert"}', "'bert'"),
        ('{"model_type": "albert"}', "is 'albert'; supported are roberta, .*roberta-prelayernorm"),
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


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_reads_a_config(tmp_path, model_type):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type, "x": 1}))
    assert hugging_face.read_config(tmp_path) == {"model_type": model_type, "x": 1}


def test_the_tokenizer_is_numbered_as_the_models_family_has_it(tmp_path):
    """CamemBERT's pieces have other ids than XLM-R's, and nothing in their file says so."""
    directory, tokenizer = trained_tokenizer(tmp_path)
    shutil.copy(directory / "sentencepiece.bpe.model", tmp_path)
    write_checkpoint(tmp_path, {}, model_type="camembert")
    assert open_checkpoint(tmp_path).tokenizer().special_token_ids[:3] == (5, 1, 6)
    write_checkpoint(tmp_path, {}, model_type="xlm-roberta")
    assert open_checkpoint(tmp_path).tokenizer() == tokenizer


def test_sentencepiece_files_are_fetched_from_the_hub():
    files = {*hugging_face.HuggingFaceFormat.files}
    assert {"sentencepiece.bpe.model", "sentencepiece.model"} <= files
