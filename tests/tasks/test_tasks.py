"""Every task: presets, and fit, evaluate and predict on strings."""

import pathlib

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from contract import made, trainee
from task_cases import CASES

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer

(CLASSIFIER,) = [case for case in CASES if case.class_name == "RobertaTextClassifier"]


@pytest.fixture
def config(config):
    return config.replace(num_layers=1)  # half the time of tracing, which is most of a test's


@pytest.fixture
def classifier(config, tokenizer):
    return make_classifier(config, tokenizer)


@pytest.fixture
def to_train(tokenizer):
    """A classifier whose training step is traced once for all tests."""
    return trainee(CLASSIFIER, tokenizer)


def make_classifier(config, tokenizer, num_classes=2, labels=None, sequence_length=24, **kwargs):
    preprocessor = kr.RobertaPreprocessor(tokenizer, sequence_length, labels=labels)
    return kr.RobertaTextClassifier(
        kr.RobertaBackbone(config), num_classes, preprocessor=preprocessor, **kwargs
    )


@pytest.fixture
def masked_lm(config, tokenizer):
    preprocessor = kr.RobertaMaskedLM.preprocessor_cls(tokenizer, sequence_length=24)
    return kr.RobertaMaskedLM(kr.RobertaBackbone(config), preprocessor=preprocessor)


def dataset(sentiment, batch=None):
    data = tf.data.Dataset.from_tensor_slices(sentiment)
    return data.batch(batch) if batch else data


def test_predict_keeps_the_order(tokenizer, sentiment):
    classifier, texts = made(CLASSIFIER, tokenizer), sentiment[0]
    ragged = [text * (1 + i % 3) for i, text in enumerate(texts[:13])]
    together = classifier.predict(ragged, batch_size=4, verbose=0)
    one_by_one = np.concatenate([classifier.predict([t], verbose=0) for t in ragged])
    assert np.ptp(one_by_one, axis=0).min() > 0.01
    np.testing.assert_allclose(together, one_by_one, atol=1e-4)
    stream = tf.data.Dataset.from_tensor_slices(ragged)
    np.testing.assert_allclose(classifier.predict(stream, verbose=0), together, atol=1e-4)


def test_sentence_pairs(to_train):
    firsts, seconds, labels = ["a film", "b"] * 4, ["fine", "a dull film"] * 4, [0, 1] * 4
    to_train.fit((firsts, seconds), labels, batch_size=4, verbose=0)
    data = tf.data.Dataset.from_tensor_slices((({"text": firsts, "text_pair": seconds}), labels))
    to_train.fit(data.batch(4), verbose=0)
    pairs = to_train.predict((firsts, seconds), verbose=0)
    assert pairs.shape == (8, 2)
    assert not np.allclose(pairs, to_train.predict(firsts, verbose=0))


def test_fit_may_tokenise_in_the_graph(to_train, tokenizer, sentiment):
    """A pipeline with a BatchedTokenizer trains as the default does on the same batches."""
    in_graph = tokenizer.batched_in_graph()
    pipeline = dataset(sentiment, 8).map(
        lambda texts, labels: (in_graph(texts, max_length=24), labels)
    )
    arguments, losses = dict(epochs=2, shuffle=False, verbose=0), []
    for data in (dict(x=sentiment[0], y=sentiment[1], batch_size=8), dict(x=pipeline)):
        trainee(CLASSIFIER, tokenizer)  # puts its variables back
        losses.append(to_train.fit(**data, **arguments).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_features_pass_through(to_train, sentiment):
    features = to_train.preprocessor(sentiment[0])
    to_train.fit(features, np.array(sentiment[1]), batch_size=8, verbose=0)
    np.testing.assert_allclose(
        to_train.predict(features, verbose=0),
        to_train.predict(sentiment[0], verbose=0),
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], "label 2 is outside 0..1"),
        ([0, 1, -1], "label -1"),
        ([0.0, 1.0, 0.5], "a regression learns others.; got 0.5"),
        (["a", "b", "a"], "label 'a' is not a number; .* labels="),
        (np.array([[0], [3], [1]]), "label 3 is outside"),
        (np.array(["1", b"x", 0], object), "label 'x' is not"),
        ([0, 1], "3 texts"),
    ],
)
def test_labels_that_do_not_fit(classifier, labels, message):
    with pytest.raises(InputError, match=message):
        classifier.fit(["a", "b", "c"], labels, verbose=0)


def test_odd_texts(classifier):
    texts = ["", "   ", "\x00", "film " * 500, b"\xff\xfe broken".decode(errors="surrogateescape")]
    logits = classifier.predict(texts, verbose=0)
    assert np.isfinite(logits).all()
    cut = classifier.preprocessor(["film " * 500])
    assert cut["token_ids"].shape == (1, 24) and cut["token_ids"][0, -1] == 2


def test_schedule_spans_each_fit(classifier, sentiment, monkeypatch):
    def count_steps(task, *args, steps_per_epoch, epochs, **kwargs):
        task.optimizer.iterations.assign_add(steps_per_epoch * epochs)

    monkeypatch.setattr(keras.Model, "fit", count_steps)
    classifier.fit(*sentiment, batch_size=8, epochs=2)
    schedule = classifier.optimizer._learning_rate
    assert float(schedule(15)) == 0.0 and float(schedule(14)) > 0.0
    classifier.fit(*sentiment, batch_size=16)  # 4 steps more
    schedule = classifier.optimizer._learning_rate
    assert float(schedule(19)) == 0.0 and float(schedule(18)) > 0.0


def test_the_schedule_counts_the_epochs_that_are_trained(classifier, sentiment):
    """Of three epochs of two steps the first is done: the rate falls over the other four steps."""
    rates = []
    classifier.compile(finetuning_optimizer(1e-3, warmup=0))
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: rates.append(
            float(classifier.optimizer.learning_rate)
        )
    )
    texts, labels = (part[:16] for part in sentiment)
    classifier.fit(texts, labels, 8, epochs=3, initial_epoch=1, callbacks=[note], verbose=0)
    np.testing.assert_allclose(rates, [0.75e-3, 0.5e-3, 0.25e-3, 0.0], atol=1e-9)


def test_the_masked_loss_is_the_mean_over_masked_tokens_whatever_the_columns(masked_lm):
    random = np.random.default_rng(0)
    ids = random.integers(5, masked_lm.backbone.config.vocabulary_size, (3, 6)).astype("int32")
    features = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    features["mask_positions"] = np.array([[1, 2], [3, 0], [5, 4]], "int32")
    labels = np.array([[7, 8], [9, 0], [10, 11]], "int32")
    weights = np.array([[1, 1], [1, 0], [1, 0.5]], "float32")
    logits = np.asarray(masked_lm(features), "float64")
    labels[0, 0] = logits[0, 0].argmax()  # one right
    of_labels = np.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    losses = np.log(np.exp(logits).sum(axis=-1)) - of_labels
    expected = (weights * losses).sum() / 4.5
    masked_lm.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    for columns in (0, 5):  # which hold nothing
        wider = [(0, 0), (0, columns)]
        batch = features | {"mask_positions": np.pad(features["mask_positions"], wider)}
        logs = masked_lm.test_on_batch(
            batch, np.pad(labels, wider), np.pad(weights, wider), return_dict=True
        )
        assert logs["loss"] == pytest.approx(expected, rel=1e-5)
        assert logs["accuracy"] == pytest.approx(1 / 4.5, rel=1e-5)


def test_masks_differ_in_number_from_batch_to_batch(masked_lm, tokenizer):
    texts = ["a<mask>"] * 3 + ["a longer<mask> and<mask> more<mask> film film"]
    logits = masked_lm.predict(texts, batch_size=2, verbose=0)
    assert logits.shape == (4, 3, tokenizer.vocabulary_size)
    alone = masked_lm.predict(texts[3:], verbose=0)
    np.testing.assert_allclose(logits[3:], alone, atol=1e-4)
    labelled = tf.data.Dataset.from_tensor_slices((texts, [0] * 4)).batch(2)
    masked_lm.evaluate(labelled, verbose=0)


def test_batches_of_unequal_sizes(to_train, sentiment):
    texts, labels = sentiment[0][:37], sentiment[1][:37]
    data = tf.data.Dataset.from_tensor_slices((texts, labels))
    data = data.take(5).batch(8).concatenate(data.skip(5).batch(8))
    to_train.fit(data, verbose=0)
    assert len(to_train.predict(data.map(lambda text, _: text), verbose=0)) == 37


def test_other_sources(to_train, sentiment):
    texts, labels = sentiment
    to_train.fit({"text": texts}, labels, validation_split=0.5, verbose=0)
    features = to_train.preprocessor(texts[:8])
    to_train.fit(((features, np.array(labels[:8])) for _ in range(2)), verbose=0)
    for nothing in (lambda: to_train.predict([]), lambda: to_train.fit([], [])):
        with pytest.raises(InputError, match="no texts"):
            nothing()


def test_lengths_beyond_the_positions_are_cut(classifier, tmp_path):
    classifier.save_to_preset(tmp_path / "preset")
    again = kr.RobertaTextClassifier.from_preset(tmp_path / "preset", sequence_length=1000)
    assert again.preprocessor.sequence_length == 32
    assert np.isfinite(again.predict(["film " * 99], verbose=0)).all()


def test_an_encoder_saved_over_a_task_takes_its_head_along(classifier, tmp_path):
    classifier.save_to_preset(tmp_path / "preset")
    (tmp_path / "preset" / "notes.txt").write_text("mine")
    classifier.backbone.save_to_preset(tmp_path / "preset")
    assert not (tmp_path / "preset" / "task.json").exists()
    assert (tmp_path / "preset" / "notes.txt").exists()


def test_failed_save_leaves_the_old_preset(classifier, tmp_path, monkeypatch):
    classifier.save_to_preset(tmp_path / "preset")
    before = {p: p.read_bytes() for p in (tmp_path / "preset").rglob("*") if p.is_file()}

    def fail(path):
        raise OSError("disk full")

    monkeypatch.setattr(classifier.preprocessor, "save_to_preset", fail)
    with pytest.raises(InputError, match="preset: cannot be written .disk full."):
        classifier.save_to_preset(tmp_path / "preset")
    after = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert after == before


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "config.json").unlink(), "config.json"),
        (lambda d: (d / "config.json").write_text("{"), "config.json.*JSON"),
        (lambda d: (d / "config.json").write_text("[]"), "config.json"),
        (lambda d: (d / "config.json").write_text("{}"), "model_type"),
        (lambda d: (d / "model.weights.h5").unlink(), "model.weights"),
        (lambda d: (d / "model.weights.h5").write_bytes(b"hello"), "model.weights.h5"),
        (lambda d: _truncate(d / "model.weights.h5"), "model.weights.h5"),
        (lambda d: (d / "task.weights.h5").unlink(), "task.weights.h5"),
        (lambda d: (d / "assets/tokenizer/vocab.json").write_text("{}"), None),
    ],
)
def test_damaged_presets(classifier, tmp_path, damage, message):
    preset = pathlib.Path(tmp_path / "preset")
    classifier.save_to_preset(preset)
    damage(preset)
    if message is None:
        kr.RobertaTextClassifier.from_preset(preset)  # tokenizer.json suffices
        return
    with pytest.raises(InputError, match=message) as raised:
        kr.RobertaTextClassifier.from_preset(preset)
    assert "\n" not in str(raised.value)


def test_a_tokenizer_of_another_model_is_refused(classifier, tmp_path):
    from keras_roberta.tokenizers.training import train_byte_level_bpe

    classifier.save_to_preset(tmp_path / "preset")
    bigger = train_byte_level_bpe(["one two three four five"] * 3, vocabulary_size=400)
    assert bigger.vocabulary_size < 300
    wide = train_byte_level_bpe([f"w{i} x{i * 7}y{i % 13}" for i in range(900)], 600)
    wide.save(tmp_path / "preset/assets/tokenizer")
    with pytest.raises(InputError, match="vocabulary"):
        kr.RobertaTextClassifier.from_preset(tmp_path / "preset")


def test_presets_hold_no_optimizer_state(to_train, sentiment, tmp_path):
    to_train.fit(*sentiment, verbose=0)
    to_train.save_to_preset(tmp_path / "preset")
    names = []
    with h5py.File(tmp_path / "preset/task.weights.h5") as file:
        file.visit(names.append)
    assert names and not [name for name in names if "optimizer" in name]
    steps = int(to_train.optimizer.iterations)
    to_train.fit(*sentiment, verbose=0)
    assert int(to_train.optimizer.iterations) > steps  # the optimizer is still there


def test_a_preset_without_a_head_needs_num_classes(config, tokenizer, tmp_path):
    kr.RobertaBackbone(config).save_to_preset(tmp_path / "preset")
    tokenizer.save(tmp_path / "preset/assets/tokenizer")
    with pytest.raises(InputError, match="num_classes"):
        kr.RobertaTextClassifier.from_preset(tmp_path / "preset")
    assert kr.RobertaTextClassifier.from_preset(tmp_path / "preset", num_classes=4).num_classes == 4
    with pytest.raises(InputError, match="no such directory"):
        kr.RobertaTextClassifier.from_preset(tmp_path / "nowhere")
    with pytest.raises(InputError, match="num_classes"):
        kr.RobertaTextClassifier.from_preset(tmp_path / "preset", num_classes=0)


def test_keras_quantizes_a_task(masked_lm, tokenizer):
    texts = tf.constant(["a <mask> film", "a dull <mask>"])
    before = masked_lm.predict(texts, verbose=0)
    masked_lm.quantize("int8")
    after = masked_lm.predict(texts, verbose=0)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("jit_compile", [True, False])
def test_the_same_seed_gives_the_same_run(config, tokenizer, sentiment, jit_compile):
    def run():
        keras.utils.set_random_seed(3)
        task = make_classifier(config, tokenizer, sequence_length=8)  # one length to compile
        task.compile(keras.optimizers.SGD(0.1), jit_compile=jit_compile)
        history = task.fit(*sentiment, batch_size=32, epochs=2, verbose=0)
        return history.history["loss"]

    assert run() == run()


def test_a_preprocessor_longer_than_the_model_is_refused(config, tokenizer):
    for make in (
        lambda length: make_classifier(config, tokenizer, sequence_length=length),
        lambda length: kr.RobertaMaskedLM(
            kr.RobertaBackbone(config),
            preprocessor=kr.RobertaMaskedLM.preprocessor_cls(tokenizer, sequence_length=length),
        ),
    ):
        make(config.max_sequence_length)
        with pytest.raises(InputError, match="cuts at 33 tokens, but the model has only 32"):
            make(config.max_sequence_length + 1)
