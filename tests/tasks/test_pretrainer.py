"""The pre-trainer: what it reports, that its loss is the mean, and presets for other tasks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.data.pretraining.batch_options import OBJECTIVES
from keras_roberta.errors import InputError

BATCH, LENGTH, PREDICTIONS, CHOICES, LABELS = 8, 16, 3, 2, ("de", "en", "fr")


@pytest.fixture
def config(config):
    return config.replace(num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=32)


def make_batch(config, objectives=OBJECTIVES, seed=0):
    """A batch as keras_roberta.data.pretraining.batches gives it; rows are masked unevenly."""
    random = np.random.default_rng(seed)
    ids = random.integers(5, config.vocabulary_size, (BATCH, LENGTH)).astype("int32")
    ids[:, 0] = config.start_token_id
    features = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    if "mlm" in objectives:
        order = random.permuted(np.tile(np.arange(1, LENGTH), (BATCH, 1)), axis=1)
        features["mask_positions"] = order[:, :PREDICTIONS].astype("int32")
    shapes = {
        "mlm": (config.vocabulary_size, (BATCH, PREDICTIONS)),
        "sop": (2, (BATCH,)),
        "nsp": (2, (BATCH,)),
        "choice": (CHOICES, (BATCH // CHOICES,)),
        "tokens": (len(LABELS), (BATCH, LENGTH)),
    }
    targets, weights = {}, {}
    for name in objectives:
        classes, shape = shapes[name]
        targets[name] = random.integers(0, classes, shape).astype("int32")
        weights[name] = (random.random(shape) < 0.6).astype("float32")
        weights[name].flat[0] = 1.0
    return features, targets, weights


def make_pretrainer(config, tokenizer=None, objectives=OBJECTIVES, **kwargs):
    preprocessor = tokenizer and kr.RobertaMaskedLM.preprocessor_cls(tokenizer, sequence_length=24)
    return kr.RobertaPretrainer(
        kr.RobertaBackbone(config),
        objectives,
        num_choices=CHOICES,
        token_labels=LABELS,
        preprocessor=preprocessor,
        **kwargs,
    )


def batches(*batch, times=1):
    return tf.data.Dataset.from_tensors(batch).repeat(times)


def test_outputs(config):
    outputs = make_pretrainer(config)(make_batch(config)[0])
    assert {name: tuple(logits.shape) for name, logits in outputs.items()} == {
        "mlm": (BATCH, PREDICTIONS, config.vocabulary_size),
        "sop": (BATCH, 2),
        "nsp": (BATCH, 2),
        "choice": (BATCH // CHOICES, CHOICES),
        "tokens": (BATCH, LENGTH, len(LABELS)),
    }


@pytest.mark.parametrize("objectives", [("mlm",), ("sop", "choice"), ("mlm", "sop", "choice")])
def test_fewer_objectives_give_the_same_outputs(config, objectives):
    """The last block is computed for the tokens that the heads read, which "tokens" needs all."""
    whole = make_pretrainer(config)
    some = kr.RobertaPretrainer(whole.backbone, objectives, num_choices=CHOICES)
    for name in objectives:
        for weight, taken in zip(some.heads[name].weights, whole.heads[name].weights, strict=True):
            weight.assign(taken)
    features = make_batch(config)[0]
    expected = whole(features)
    for name, logits in some({name: features[name] for name in some.input}).items():
        np.testing.assert_allclose(logits, expected[name], atol=1e-5)


def test_a_question_is_scored_by_its_own_rows(config):
    model = make_pretrainer(config, objectives=("choice",))
    features = make_batch(config, ("choice",))[0]
    scores = np.asarray(model(features)["choice"])
    swapped = {
        name: array.reshape(-1, 2, LENGTH)[:, ::-1].reshape(-1, LENGTH)
        for name, array in features.items()
    }
    np.testing.assert_allclose(np.asarray(model(swapped)["choice"]), scores[:, ::-1], atol=1e-5)


def expected_losses(model, batch):
    """The definition: the weighted mean of the cross-entropies over the whole batch."""
    x, y, weights = batch
    found = {}
    for name, logits in model(x, training=False).items():
        losses = keras.losses.sparse_categorical_crossentropy(y[name], logits, from_logits=True)
        found[name] = float(np.average(losses, weights=weights[name]))
    return found


@pytest.mark.parametrize("objectives", [OBJECTIVES, ("mlm",), ("tokens",), ("mlm", "sop")])
def test_reports_each_objective(config, objectives):
    factors = {objectives[0]: 0.5}
    model = make_pretrainer(config, objectives=objectives, loss_weights=factors)
    batch = make_batch(config, objectives)
    losses = expected_losses(model, batch)
    logs = model.evaluate(batches(*batch), verbose=0, return_dict=True)
    for name, loss in losses.items():
        assert logs[f"{name}_loss"] == pytest.approx(loss, rel=1e-5)
        assert 0 <= logs[f"{name}_accuracy"] <= 1
    total = sum(factors.get(name, 1.0) * loss for name, loss in losses.items())
    assert logs["loss"] == pytest.approx(total, rel=1e-5)
    if "mlm" in objectives:
        assert logs["mlm_perplexity"] == pytest.approx(np.exp(losses["mlm"]), rel=1e-4)


def test_learns_all_objectives(config):
    model = make_pretrainer(config.replace(dropout=0.0, attention_dropout=0.0))
    model.compile(keras.optimizers.Adam(1e-2))
    data = batches(*make_batch(config), times=150)
    before = model.evaluate(data.take(1), verbose=0, return_dict=True)
    model.fit(data, verbose=0)
    after = model.evaluate(data.take(1), verbose=0, return_dict=True)
    for name in OBJECTIVES:
        assert after[f"{name}_loss"] < 0.5 * before[f"{name}_loss"], name
        assert after[f"{name}_accuracy"] > 0.9, name


def test_gradients_of_parts_are_those_of_the_whole(config):
    config = config.replace(dropout=0.0, attention_dropout=0.0)
    batch = make_batch(config)

    def train(parts, jit_compile):
        keras.utils.set_random_seed(1)
        model = make_pretrainer(config)
        optimizer = keras.optimizers.SGD(0.1)
        model.compile(optimizer, gradient_accumulation_steps=parts, jit_compile=jit_compile)
        logs = model.fit(batches(*batch, times=2), verbose=0).history
        assert int(optimizer.iterations) == 2  # batches, not parts
        return [np.array(w) for w in model.trainable_variables], logs

    weights, logs = train(1, jit_compile=False)
    accumulated, logs_of_parts = train(4, jit_compile=True)
    for found, expected in zip(accumulated, weights, strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-5)
    for name in logs:
        if name.endswith("loss"):  # an accuracy weighs parts by what is counted in them
            np.testing.assert_allclose(logs_of_parts[name], logs[name], rtol=1e-4, err_msg=name)


def randomise(model):
    for weight in model.weights:
        if weight.dtype == "float32":
            random = np.random.default_rng(len(weight.path))
            weight.assign(random.normal(0, 0.1, weight.shape))


def test_a_preset_for_every_task(config, tokenizer, tmp_path):
    model = make_pretrainer(config, tokenizer, loss_weights={"sop": 0.5})
    randomise(model)
    model.save_to_preset(tmp_path / "preset")
    features = make_batch(config)[0]
    expected = {name: np.asarray(logits) for name, logits in model(features).items()}

    again = kr.RobertaPretrainer.from_preset(tmp_path / "preset")
    assert again.get_config()["loss_weights"] == {"sop": 0.5}
    assert again.objectives == OBJECTIVES and again.token_labels == LABELS
    for name, logits in again(features).items():
        np.testing.assert_allclose(logits, expected[name], atol=1e-5, err_msg=name)

    masked_lm = kr.RobertaMaskedLM.from_preset(tmp_path / "preset")
    np.testing.assert_allclose(masked_lm(features), expected["mlm"], atol=1e-5)
    assert masked_lm.preprocessor.get_config() == model.preprocessor.get_config()
    text = masked_lm.predict(["a fine<mask>"], verbose=0)
    assert text.shape == (1, 1, tokenizer.vocabulary_size)

    classifier = kr.RobertaTextClassifier.from_preset(tmp_path / "preset", num_classes=3)
    assert classifier.predict(["a film"], verbose=0).shape == (1, 3)
    del features["mask_positions"]
    backbone = kr.RobertaBackbone.from_preset(tmp_path / "preset")
    np.testing.assert_allclose(backbone(features), model.backbone(features), atol=1e-5)


def test_a_preset_is_a_start_for_other_objectives(config, tokenizer, tmp_path, caplog):
    model = make_pretrainer(config, tokenizer, ("mlm", "sop", "tokens"), loss_weights={"sop": 2})
    randomise(model)
    model.save_to_preset(tmp_path / "preset")
    features = make_batch(config)[0]
    expected = model(features)

    def start(*objectives, **more):
        caplog.clear()
        task = kr.RobertaPretrainer.from_preset(
            tmp_path / "preset", objectives=objectives, num_choices=CHOICES, **more
        )
        assert task.objectives == objectives and task.loss_weights == {}
        return task(features)

    found = start("tokens", "nsp", "mlm", "sop")  # two of one class, in another order
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)
    assert "has no head for nsp; it starts random" in caplog.text
    assert np.abs(found["nsp"]).max() < 0.1 * np.abs(found["sop"]).max()
    assert start("mlm", "tokens", "choice", token_labels=("a", "b"))["tokens"].shape[-1] == 2
    assert "has no head for tokens, choice;" in caplog.text
    preprocessor = kr.RobertaPreprocessor(tokenizer, sequence_length=8)
    kr.RobertaTextClassifier(model.backbone, 2, preprocessor).save_to_preset(tmp_path / "classes")
    caplog.clear()
    kr.RobertaPretrainer.from_preset(tmp_path / "classes", objectives=("sop",))
    assert "the head starts random (sop)" in caplog.text

    kr.RobertaMaskedLM.from_preset(tmp_path / "preset").save_to_preset(tmp_path / "mlm")
    again = kr.RobertaPretrainer.from_preset(tmp_path / "mlm")
    assert again.objectives == ("mlm",)
    np.testing.assert_allclose(again(features)["mlm"], expected["mlm"], atol=1e-5)


def test_a_keras_file_round_trip(config, tokenizer, tmp_path):
    model = make_pretrainer(config, tokenizer)
    model.compile(gradient_accumulation_steps=2, jit_compile=True)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.gradient_accumulation_steps == 2
    assert again.get_compile_config()["jit_compile"]
    features = make_batch(config)[0]
    expected = model(features)
    for name, logits in again(features).items():
        np.testing.assert_allclose(logits, expected[name], atol=1e-5, err_msg=name)


def test_a_preset_without_mlm_gives_a_new_language_model_head(config, tokenizer, tmp_path):
    make_pretrainer(config, tokenizer, ("sop",)).save_to_preset(tmp_path / "preset")
    masked_lm = kr.RobertaMaskedLM.from_preset(tmp_path / "preset")
    assert not np.asarray(masked_lm.head.output_bias).any()


def test_reads_the_head_of_a_hugging_face_checkpoint(config, request):
    golden = request.path.parents[1] / "golden" / "tiny-roberta-mlm"
    arguments = dict(preprocessor=None)
    masked_lm = kr.RobertaMaskedLM.from_preset(golden, **arguments)
    model = kr.RobertaPretrainer.from_preset(golden, objectives=("mlm", "sop"), **arguments)
    features = make_batch(masked_lm.backbone.config, ("mlm",))[0]
    np.testing.assert_allclose(model(features)["mlm"], masked_lm(features), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(objectives=()), "objectives must be"),
        (dict(objectives=("mlm", "mlm")), "objectives must be"),
        (dict(objectives=("clm",)), "got clm"),
        (dict(objectives=("mlm",), loss_weights={"sop": 1.0}), "names 'sop'"),
        (dict(objectives=("mlm",), loss_weights={"mlm": 0.0}), "must be positive"),
        (dict(objectives=("choice",)), "num_choices of at least 2"),
        (dict(objectives=("tokens",), token_labels=("en",)), "two or more classes"),
    ],
)
def test_arguments_that_do_not_fit(config, arguments, message):
    with pytest.raises(InputError, match=message):
        kr.RobertaPretrainer(kr.RobertaBackbone(config), **arguments)


def test_raw_strings_are_sent_elsewhere(config, tokenizer):
    model = make_pretrainer(config, tokenizer, ("mlm",))
    for call in (model.fit, model.predict):
        with pytest.raises(InputError, match="take RobertaMaskedLM"):
            call(["a film"])
