"""From text to phone with tokenizers of words and characters: learnt, pre-trained with, fine-tuned
and exported."""

import random

import numpy as np
import pytest
from pretraining_runs import options

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.train_tokenizer import TrainTokenizerOptions
from keras_roberta.jobs.prepare.one_machine import prepare
from keras_roberta.jobs.pretrain.run import pretrain
from keras_roberta.jobs.train_tokenizer import train_tokenizer

WORDS = "the a an dog cat house runs sleeps sees small large and not today".split()
TEXTS = ["a dog sleeps", "The house runs, not today.", "cats <mask>  large", "\u65e5 \u0130x", ""]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(kind="bpe", lowercase=True), "lowercase means nothing to the kind bpe; leave it out"),
        (dict(kind="unigram", min_frequency=3), "min_frequency means nothing to the kind unigram"),
        (dict(kind="bpe", vocabulary_size=100), "vocabulary_size 100: .* alone take 261"),
    ],
)
def test_settings_are_checked_before_the_corpus_is_read(settings, message, tmp_path):
    (tmp_path / "corpus.txt").write_bytes(b"\xff is no UTF-8")
    with pytest.raises(InputError, match=message):
        train_tokenizer(
            tmp_path / "corpus.txt", tmp_path / "out", TrainTokenizerOptions(**settings)
        )
    (tmp_path / "corpus.txt").write_text("\n\n")
    with pytest.raises(InputError, match="the corpus is empty"):
        train_tokenizer(tmp_path / "corpus.txt", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.usefixtures("tinier")
@pytest.mark.parametrize("kind", ["word", "char"])
def test_from_text_to_phone(kind, tmp_path):
    corpus, learnt, out = tmp_path / "corpus.txt", tmp_path / "tokenizer", tmp_path / "run"
    chance = random.Random(0)
    documents = (" ".join(chance.choices(WORDS, k=30)).capitalize() for _ in range(40))
    corpus.write_text("\n\n".join(documents), encoding="utf-8")
    tokenizer, _ = train_tokenizer(
        corpus, learnt, TrainTokenizerOptions(kind=kind, vocabulary_size=200, lowercase=True)
    )
    prepare(corpus, learnt, tmp_path / "shards", PrepareOptions(heldout=0.2), processes=1)
    pretrain(
        tmp_path / "shards",
        out,
        options(steps=2, mask_units="whole-word", evaluate_every=2, save_every=2, log_every=1),
    )
    task = kr.RobertaTextClassifier.from_preset(out, num_classes=2)
    assert task.preprocessor.tokenizer == tokenizer
    for weight in task.weights:  # answers that tell rows apart
        if "kernel" in weight.path:
            weight.assign(4 * np.array(weight))
    task.fit(TEXTS[:4], [0, 1, 0, 1], epochs=1, batch_size=4, verbose=0)
    # Each is compared with the task before it appears.
    export.to_tflite(task, tmp_path / "task.tflite", quantization="none", sequence_lengths=(32,))
    files = [tmp_path / "task.tflite"]
    if kind == "word":
        files.append(tmp_path / "saved-model")
        export.to_saved_model(task, files[1], warmup_batch_sizes=(1,), warmup_lengths=(8,))
    expected = task.named_outputs(TEXTS)["probabilities"]
    for file in files:
        runner = export.load(file)
        found = runner.predict(TEXTS)["probabilities"]
        np.testing.assert_allclose(found, expected, atol=1e-5)
