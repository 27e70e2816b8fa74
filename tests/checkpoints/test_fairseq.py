"""Checkpoints of fairseq, read and written.

`tests/golden/fairseq` holds two, of 2019 and of today, with what fairseq's model computes.
"""

import argparse
import pathlib
import shutil
import zipfile

import keras_hub
import numpy as np
import pytest
from sentencepiece_models import trained_tokenizer

import keras_roberta as kr
from keras_roberta.checkpoints.formats import format_named, open_checkpoint
from keras_roberta.checkpoints.tensor_view import TensorView
from keras_roberta.checkpoints.torch_archive import write_torch_file
from keras_roberta.checkpoints.torch_pickle import read_torch_file
from keras_roberta.errors import InputError
from keras_roberta.jobs.convert import convert
from keras_roberta.jobs.options.convert import ConvertOptions

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "fairseq"
FRONT = "encoder.sentence_encoder"


@pytest.fixture(scope="module")
def outputs():
    return dict(np.load(GOLDEN / "outputs.npz"))


@pytest.fixture
def pretrained(tmp_path):
    return shutil.copytree(GOLDEN / "pretrained", tmp_path / "pretrained")


@pytest.fixture
def finetuned(tmp_path):
    return shutil.copytree(GOLDEN / "finetuned-2019", tmp_path / "finetuned")


def content_of(path):
    """What a file holds, with arrays in the place of tensors."""

    def read(item):
        if isinstance(item, TensorView):
            return item.read()
        if isinstance(item, dict):
            return {name: read(value) for name, value in item.items()}
        return item

    return read(read_torch_file(path))


def changed(directory, change):
    """Writes a checkpoint anew after something in it was changed."""
    content = content_of(directory / "model.pt")
    change(content)
    if isinstance(content.get("args"), dict):
        content["args"] = argparse.Namespace(**content["args"])
    (directory / "model.pt").unlink()
    write_torch_file(directory / "model.pt", content)
    return directory


def masked_lm_logits(task, token_ids):
    positions = np.broadcast_to(np.arange(token_ids.shape[1]), token_ids.shape)
    inputs = {"token_ids": token_ids, "padding_mask": token_ids != 1, "mask_positions": positions}
    return np.asarray(task({name: array.astype("int32") for name, array in inputs.items()}))


# === Read ===


def test_the_language_model_computes_what_fairseqs_does(outputs):
    task = kr.RobertaMaskedLM.from_preset(GOLDEN / "pretrained", preprocessor=None)
    tokens = outputs["token_ids"].astype("int32")
    real = tokens != 1
    found = masked_lm_logits(task, tokens)
    np.testing.assert_allclose(found[real], outputs["masked_lm_logits"][real], atol=1e-4)
    features = np.asarray(task.backbone(tokens))
    np.testing.assert_allclose(features[real], outputs["features"][real], atol=1e-4)
    config = task.backbone.config
    assert (config.max_sequence_length, config.num_token_types) == (16, 0)


def test_a_fine_tuned_model_of_2019(outputs, caplog):
    task = kr.RobertaTextClassifier.from_preset(GOLDEN / "finetuned-2019", preprocessor=None)
    tokens = outputs["token_ids"].astype("int32")
    np.testing.assert_allclose(np.asarray(task(tokens)), outputs["mnli_logits"], atol=1e-4)
    assert task.head.dropout_rate == 0.3
    assert "no model here has decoder.lm_head" in caplog.text


def test_which_head_it_is(pretrained, finetuned):
    for directory, name, cls in (
        (pretrained, "encoder.lm_head", kr.RobertaMaskedLM),
        (finetuned, "classification_heads.mnli", kr.RobertaTextClassifier),
    ):
        checkpoint = open_checkpoint(directory)
        assert (checkpoint.format.name, checkpoint.head_name) == ("fairseq", name)
        tasks = (kr.RobertaMaskedLM, kr.RobertaTextClassifier, kr.RobertaTokenClassifier)
        assert [t for t in tasks if checkpoint.task_settings(t) is not None] == [cls]
        assert checkpoint.heads_unread_by(None) == [name]
        assert checkpoint.heads_unread_by(cls) == []


def one_output(content):
    for part in ("weight", "bias"):
        name = f"classification_heads.mnli.out_proj.{part}"
        content["model"][name] = content["model"][name][:1]


def ranking(content):
    one_output(content)
    content["args"]["criterion"] = "sentence_ranking"


@pytest.mark.parametrize(
    ("change", "cls"),
    [(one_output, kr.RobertaTextRegressor), (ranking, kr.RobertaMultipleChoice)],
)
def test_heads_of_one_output(finetuned, change, cls):
    checkpoint = open_checkpoint(changed(finetuned, change))
    tasks = (kr.RobertaTextClassifier, kr.RobertaTextRegressor, kr.RobertaMultipleChoice)
    assert [t for t in tasks if checkpoint.task_settings(t) is not None] == [cls]


def test_names_of_classes(finetuned):
    (finetuned / "label").mkdir()
    dictionary = finetuned / "label" / "dict.txt"
    dictionary.write_text("entailment 9\nnot sure 5\ncontradiction 2\nmadeupword0000 0\n")
    settings = open_checkpoint(finetuned).task_settings(kr.RobertaTextClassifier)
    names = ["entailment", "not sure", "contradiction"]
    assert settings["preprocessor"]["labels"] == names
    dictionary.write_text("a 1\nb 1\n")
    with pytest.raises(InputError, match="label/dict.txt names 2 classes, .*out_proj.bias has 3"):
        open_checkpoint(finetuned).task_settings(kr.RobertaTextClassifier)


def test_two_classification_heads(finetuned):
    def add(content):
        for name in [n for n in content["model"] if n.startswith("classification_heads.mnli.")]:
            content["model"][name.replace("mnli", "rte")] = content["model"][name]

    checkpoint = open_checkpoint(changed(finetuned, add))
    with pytest.raises(InputError, match=r"has the heads mnli, rte, and args.classification_head"):
        checkpoint.task_settings(kr.RobertaTextClassifier)
    changed(finetuned, lambda content: content["args"].update(classification_head_name="rte"))
    checkpoint = open_checkpoint(finetuned)
    assert checkpoint.task_settings(kr.RobertaTextClassifier) is not None
    assert checkpoint.heads_unread_by(kr.RobertaTextClassifier) == ["classification_heads.mnli"]


def test_an_output_matrix_of_its_own(pretrained):
    def untie(content):
        content["model"]["encoder.lm_head.weight"] += 1

    assert open_checkpoint(pretrained).config.tie_word_embeddings
    assert not open_checkpoint(changed(pretrained, untie)).config.tie_word_embeddings


# === Refused ===


def without(name):
    return lambda content: content["model"].pop(f"{FRONT}.{name}")


def with_tensor(name, *shape):
    return lambda content: content["model"].update({f"{FRONT}.{name}": np.ones(shape, "f4")})


def setting(**values):
    return lambda content: content["cfg"]["model"].update(values)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda content: content.pop("cfg"), "holds neither args nor cfg"),
        (lambda content: content.pop("model"), "holds no 'model'"),
        (without("embed_tokens.weight"), "is a 'roberta' .cfg.model.arch., not a RoBERTa"),
        (without("embed_positions.weight"), f"lacks {FRONT}.embed_positions.weight"),
        (without("layers.1.fc1.bias"), f"lacks {FRONT}.layers.1.fc1.bias"),
        (without("layers.0.self_attn.k_proj.weight"), f"lacks {FRONT}.layers.0.self_attn.k_proj"),
        (with_tensor("layers.0.fc1.weight", 16, 24), r"fc1.weight has the shape \(16, 24\); expec"),
        (with_tensor("layers.2.fc1.bias", 24), "no place for .*encoder_layers is 2.*layers.2.fc1"),
        (
            with_tensor("layer_norm.weight", 16),
            "each block .pre-LN; .*encoder_normalize_before",
        ),
        (
            with_tensor("layers.0.self_attn.in_proj_weight", 7, 16),
            "in_proj_weight .*divided by 3",
        ),
        (with_tensor("embed_positions.weight", 2, 16), "has 2 rows, which hold no position"),
        (setting(encoder_layers=3), f"lacks {FRONT}.layers.2"),
        (setting(encoder_layers="2"), "cfg.model.encoder_layers: expected a whole number"),
        (setting(encoder_layers=900), "encoder_layers is 900, but there are .* tensors in all"),
        (setting(encoder_attention_heads=3), "divisible by num_heads=3"),
        (setting(activation_fn="tanh"), "cfg.model.activation_fn is 'tanh'; this library has"),
        (setting(encoder_learned_pos=False), "cfg.model.encoder_learned_pos is False"),
        (setting(no_scale_embedding=False), "cfg.model.no_scale_embedding is False"),
    ],
)
def test_what_is_refused_by_name(pretrained, change, says):
    changed(pretrained, change)
    with pytest.raises(InputError, match=says) as caught:
        open_checkpoint(pretrained).check_backbone()
    assert str(caught.value).startswith(f"{pretrained}/model.pt: ")
    assert "\n" not in str(caught.value)


def test_another_family_is_named(pretrained):
    def bart(content):
        content["cfg"]["model"]["_name"] = "bart_large"
        state = content["model"]
        content["model"] = {n.replace("sentence_encoder.", ""): a for n, a in state.items()}

    with pytest.raises(InputError, match=r"model.pt: is a 'bart_large' \(cfg.model.arch\), not a"):
        open_checkpoint(changed(pretrained, bart))


@pytest.mark.parametrize(
    ("name", "field", "cls"),
    [
        ("pretrained", "activation_fn", kr.RobertaMaskedLM),
        ("finetuned-2019", "pooler_activation_fn", kr.RobertaTextClassifier),
    ],
)
def test_a_head_with_another_activation(tmp_path, name, field, cls):
    directory = shutil.copytree(GOLDEN / name, tmp_path / name)

    def change(content):
        (content.get("args") or content["cfg"]["model"])[field] = "relu"

    checkpoint = open_checkpoint(changed(directory, change))
    checkpoint.check_backbone()  # the encoder is read
    with pytest.raises(InputError, match=rf"{field} is 'relu'; the head here has .*--drop-heads"):
        checkpoint.task_settings(cls)


def test_code_is_refused_and_not_run(tmp_path):
    ran = tmp_path / "ran"
    command = f"touch {ran}"
    pickled = b"\x80\x02cposix\nsystem\nX" + len(command).to_bytes(4, "little")
    pickled += command.encode() + b"\x85R."
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    with pytest.raises(InputError, match="model.pt: contains code .'posix.system'.: refusing"):
        open_checkpoint(tmp_path)
    assert not ran.exists()


# === Written ===


def test_what_is_written_is_what_was_read(outputs, tmp_path):
    """The golden checkpoint, which PyTorch wrote, through a model and back."""
    task = kr.RobertaMaskedLM.from_preset(GOLDEN / "pretrained", preprocessor=None)
    format_named("fairseq").save(task, tmp_path / "out")
    theirs, ours = (content_of(p / "model.pt") for p in (GOLDEN / "pretrained", tmp_path / "out"))
    del theirs["model"][f"{FRONT}.version"]  # a buffer, which fairseq adds where there is none
    assert set(ours["model"]) == set(theirs["model"])
    for name, array in theirs["model"].items():
        np.testing.assert_array_equal(ours["model"][name], array, err_msg=name)
    for name, value in ours["args"].items():
        assert theirs["cfg"]["model"].get(name, value) == value or name == "data", name
    # What `_upgrade_state_dict` and `load_model_ensemble_and_task` of fairseq ask for.
    assert {"args", "model", "optimizer_history", "extra_state"} <= set(ours)
    with zipfile.ZipFile(tmp_path / "out" / "model.pt") as archive:
        assert archive.testzip() is None
        tied = [n for n in archive.namelist() if "/data/" in n]
    assert len(tied) == len(ours["model"]) - 1  # the output matrix is the embedding


@pytest.fixture(scope="module")
def classifier(tokenizer):
    config = kr.RobertaConfig(
        vocabulary_size=tokenizer.vocabulary_size + 3,  # as padded to a multiple
        num_layers=2,
        num_heads=4,
        hidden_dim=32,
        intermediate_dim=64,
        max_sequence_length=32,
        seed=5,
    )
    preprocessor = kr.RobertaPreprocessor(tokenizer, 32, labels=["bad", "so so", "good"])
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 3, preprocessor)
    random = np.random.default_rng(0)
    for weight in task.weights:
        if "float" in str(weight.dtype):
            weight.assign_add(random.normal(0, 0.2, weight.shape))
    return task


TEXTS = ["a fine film", "cold , and <mask> naïve 漢", ""]


def test_round_trips_through_all_formats(classifier, tokenizer, tmp_path):
    expected = classifier.predict_on_batch(TEXTS)
    format_named("fairseq").save(classifier, tmp_path / "0")
    for i, to in enumerate(["hugging-face", "fairseq", "keras-hub", "keras"]):
        converted = convert(tmp_path / str(i), tmp_path / str(i + 1), ConvertOptions(to=to))
        assert converted == "RobertaTextClassifier"
    assert label_names_of(tmp_path / "2") == ["bad", "so so", "good"]
    task = kr.RobertaTextClassifier.from_preset(tmp_path / "4")
    np.testing.assert_allclose(task.predict_on_batch(TEXTS), expected, atol=1e-4)
    for text in TEXTS:
        assert task.preprocessor.tokenizer(text) == tokenizer(text)


def label_names_of(directory):
    checkpoint = open_checkpoint(directory)
    return checkpoint.task_settings(kr.RobertaTextClassifier)["preprocessor"]["labels"]


def test_an_encoder_alone_stays_one(classifier, tokenizer, tmp_path):
    """fairseq loads no model without a head for masked tokens, so there is one of zeros."""
    format_named("fairseq").save(classifier.backbone, tmp_path, tokenizer=tokenizer)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.head_name is None and checkpoint.heads_unread_by(None) == []
    assert checkpoint.task_settings(kr.RobertaMaskedLM) is None
    assert "encoder.lm_head.dense.weight" in checkpoint.tensors
    with pytest.raises(InputError, match="is an encoder without a task's head"):
        kr.open_task(tmp_path)


def test_over_another_format(classifier, tmp_path):
    classifier.save_to_hugging_face(tmp_path)
    format_named("fairseq").save(classifier, tmp_path)
    assert open_checkpoint(tmp_path).format.name == "fairseq"
    classifier.save_to_hugging_face(tmp_path)
    assert open_checkpoint(tmp_path).format.name == "hugging-face"


def test_the_checkpoints_of_a_training_stay(classifier, tmp_path):
    for name in ("checkpoint_best.pt", "checkpoint_last.pt"):
        (tmp_path / name).write_bytes(b"a state of days")
    format_named("fairseq").save(classifier, tmp_path)
    for name in ("checkpoint_best.pt", "checkpoint_last.pt"):
        assert (tmp_path / name).read_bytes() == b"a state of days"
    assert open_checkpoint(tmp_path).head_name is not None  # of model.pt


def test_heads_without_a_place(classifier, tmp_path):
    fairseq = format_named("fairseq")
    backbone = classifier.backbone
    for task, name in (
        (kr.RobertaTokenClassifier(backbone, 3), "token_classification_head"),
        (kr.RobertaMultiLabelClassifier(backbone, 3), "classification_head"),
        (kr.RobertaTextEmbedder(backbone), "how vectors are made"),
    ):
        with pytest.raises(InputError, match=f"fairseq has no place for .*{name}"):
            fairseq.save(task, tmp_path / "out")
    fairseq.save(kr.RobertaTextEmbedder(backbone), tmp_path / "out", drop_heads=True)
    assert open_checkpoint(tmp_path / "out").head_name is None


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("layer_norm_epsilon", 1e-12, "layer_norm_epsilon is 1e-12; fairseq's RoBERTa has 1e-05"),
        ("hidden_activation", "silu", "hidden_activation is 'silu'; fairseq's RoBERTa has 'gelu'"),
        ("pad_token_id", 5, "pad_token_id is 5; fairseq's RoBERTa has 1"),
    ],
)
def test_configs_that_fairseq_does_not_have(config, tmp_path, field, value, says):
    model = kr.RobertaBackbone(config.replace(num_layers=1, **{field: value}))
    with pytest.raises(InputError, match=says):
        format_named("fairseq").save(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# === Dictionaries ===


def test_a_dictionary_that_is_shorter_than_the_embedding(classifier, tmp_path):
    format_named("fairseq").save(classifier, tmp_path)
    path = tmp_path / "dict.txt"
    lines = path.read_text().splitlines(keepends=True)
    assert open_checkpoint(tmp_path).tokenizer() is not None
    path.write_text("".join(lines[:-1]))
    rows = classifier.backbone.config.vocabulary_size
    with pytest.raises(InputError, match=rf"dict.txt: gives {rows - 1} ids, .* has {rows} rows"):
        open_checkpoint(tmp_path).tokenizer()
    path.write_text("".join(lines[:40] + lines[41:]))
    with pytest.raises(InputError, match="dict.txt: skips 1 of the ids in encoder.json, the first"):
        open_checkpoint(tmp_path).tokenizer()


# === XLM-R ===


@pytest.fixture(scope="module")
def xlm(tmp_path_factory):
    """An encoder, and a small tokenizer of the kind of XLM-R's."""
    _, tokenizer = trained_tokenizer(tmp_path_factory.mktemp("xlm"))
    config = kr.RobertaConfig.named(
        "tiny", vocabulary_size=tokenizer.vocabulary_size, num_layers=1, seed=1
    )
    return kr.RobertaBackbone(config), tokenizer


SENTENCES = ["the fox sees <mask> den Fuchs", "a lazy dog"]


def test_xlm_r_through_all_formats(xlm, tmp_path):
    backbone, tokenizer = xlm
    inputs = kr.RobertaPreprocessor(tokenizer, 32)(SENTENCES)
    real = np.asarray(inputs["padding_mask"]).astype(bool)
    expected = np.asarray(backbone(inputs))[real]
    format_named("fairseq").save(backbone, tmp_path / "0", tokenizer=tokenizer)
    symbols = [line.split(" ")[0] for line in (tmp_path / "0" / "dict.txt").open()]
    assert symbols == [tokenizer.id_to_token(i) for i in range(4, tokenizer.mask_token_id)]
    for i, to in enumerate(["keras-hub", "fairseq"]):
        convert(tmp_path / str(i), tmp_path / str(i + 1), ConvertOptions(to=to))
    again = kr.RobertaBackbone.from_preset(tmp_path / "2")
    np.testing.assert_allclose(np.asarray(again(inputs))[real], expected, atol=1e-4)
    for directory in ("1", "2"):
        assert open_checkpoint(tmp_path / directory).tokenizer() == tokenizer
    theirs = keras_hub.models.Backbone.from_preset(str(tmp_path / "1"))
    assert type(theirs) is keras_hub.models.XLMRobertaBackbone
    text = SENTENCES[1]
    ids = keras_hub.models.Tokenizer.from_preset(str(tmp_path / "1"))(text)
    assert np.asarray(ids).tolist() == tokenizer(text)[1:-1]


def test_a_dictionary_of_another_sentencepiece_model(xlm, tmp_path):
    backbone, tokenizer = xlm
    format_named("fairseq").save(backbone, tmp_path, tokenizer=tokenizer)
    lines = (tmp_path / "dict.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    lines[3:5] = [lines[4], lines[3]]
    (tmp_path / "dict.txt").write_text("".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match="dict.txt: line 4 gives the id 7 to .*; in the sentencep"):
        open_checkpoint(tmp_path).tokenizer()
