"""CamemBERT, XLM-R and DistilRoBERTa with odd configs, XLM-R XL and RoBERTa-PreLayerNorm with every
head, as Transformers computes them.

`tests/golden/families` holds them with Transformers' own outputs.
"""

import json
import pathlib
import shutil

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.checkpoints.hugging_face_families import FAMILIES as NAMES
from keras_roberta.checkpoints.hugging_face_weights import (
    check_encoder,
    head_and_pooler,
    unwrapped,
)
from keras_roberta.checkpoints.safetensors_files import write_safetensors
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.errors import InputError

FAMILIES = pathlib.Path(__file__).resolve().parents[1] / "golden" / "families"


@pytest.fixture(scope="module")
def outputs():
    return dict(np.load(FAMILIES / "outputs.npz"))


# Of model types that are written as themselves: the fields of their configs.
NORM_FIRST = {
    "xlm-roberta-xl": dict(norm_first=True, embedding_norm=False),
    "roberta-prelayernorm": dict(norm_first=True, embedding_norm=True),
}
HEADS = {
    "MaskedLM": kr.RobertaMaskedLM,
    "SequenceClassification": kr.RobertaTextClassifier,
    "TokenClassification": kr.RobertaTokenClassifier,
    "QuestionAnswering": kr.RobertaQuestionAnswerer,
    "MultipleChoice": kr.RobertaMultipleChoice,
}


def of_2018(name):
    """As checkpoints that came from TensorFlow 1 call a layer norm's weights."""
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
        "LayerNorm.bias", "LayerNorm.beta"
    )


@pytest.mark.parametrize(
    ("name", "cls", "config"),
    [
        ("camembert", kr.RobertaMaskedLM, dict(start_token_id=5, end_token_id=6, pad_token_id=1)),
        (
            "xlm-roberta",
            kr.RobertaTokenClassifier,
            dict(pad_token_id=0, num_token_types=2, max_sequence_length=17),
        ),
        ("distilroberta", kr.RobertaTextClassifier, dict(num_layers=6, max_sequence_length=16)),
        *(
            (f"{family}-{head}", cls, {**fields, "max_sequence_length": 16})
            for family, fields in NORM_FIRST.items()
            for head, cls in HEADS.items()
        ),
    ],
)
def test_logits_are_those_of_transformers(tmp_path, outputs, name, cls, config):
    directory = shutil.copytree(FAMILIES / name, tmp_path / name)
    tensors = dict(open_state_dict(directory))
    write_safetensors(
        directory / "model.safetensors", {of_2018(n): array for n, array in tensors.items()}
    )
    task = cls.from_preset(directory, preprocessor=None)
    assert type(task) is cls
    assert {field: getattr(task.backbone.config, field) for field in config} == config
    inputs = {
        part: outputs[f"{name}/{part}"].astype("int32") for part in ("token_ids", "padding_mask")
    }
    real = inputs["padding_mask"].astype(bool)
    if cls is kr.RobertaMaskedLM:
        inputs["mask_positions"] = np.tile(np.arange(8, dtype="int32"), (3, 1))
    found, expected = np.asarray(task(inputs)), outputs[f"{name}/logits"]
    real = real if expected.ndim == 3 else slice(None)
    np.testing.assert_allclose(found[real], expected[real], atol=1e-4)

    task.save_to_hugging_face(tmp_path / "out")
    values = json.loads((tmp_path / "out" / "config.json").read_text())
    theirs = json.loads((directory / "config.json").read_text())
    fields = ["pad_token_id", "bos_token_id", "eos_token_id", "type_vocab_size"]
    if name.startswith(tuple(NORM_FIRST)):
        fields += ["model_type", "architectures", "max_position_embeddings", "layer_norm_eps"]
    for field in fields:
        assert values[field] == theirs[field]
    written = open_state_dict(tmp_path / "out")
    kept = {n for n in tensors if "position_ids" not in n and "decoder" not in n}
    assert set(written) >= kept
    for tensor in kept:
        np.testing.assert_array_equal(written[tensor], tensors[tensor], err_msg=tensor)


@pytest.mark.parametrize("family", NORM_FIRST)
def test_an_encoder_alone_and_a_wrapped_one(family):
    """Saved without a head, tensors have no prefix; a last layer norm is then no head."""
    head = f"{family}-TokenClassification"
    state = open_state_dict(FAMILIES / head)
    values = json.loads((FAMILIES / head / "config.json").read_text())
    config, its = kr.RobertaConfig.from_hugging_face(values), NAMES[family]
    expected = check_encoder(state, config)
    assert set(expected.values()) == {n for n in state if n.startswith(its.prefix)}

    bare = {name: name.removeprefix(its.prefix) for name in expected.values()}
    encoder = {new: state[old] for old, new in bare.items()}
    assert check_encoder(encoder, config) == {key: bare[old] for key, old in expected.items()}
    assert head_and_pooler(encoder, its) == ([], [])
    assert head_and_pooler(state, its) == (["classifier.bias", "classifier.weight"], [])
    wrapped = state.renamed({name: f"module.{name}" for name in state})
    assert set(unwrapped(wrapped, its)) == set(state)

    other = next(name for name in NORM_FIRST if name != family)
    with pytest.raises(InputError, match="the checkpoint lacks|no place for"):
        check_encoder(state, config.replace(**NORM_FIRST[other]))
