"""Models with tokenizers of other kinds than RoBERTa's, exported from text: the exporter compares
ids, places and answers with the task's; here, texts beyond its own."""

import numpy as np
import pytest
from sentencepiece_models import TEXTS, generated_texts, trained_tokenizer

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.tokenizers import byte_buffer
from keras_roberta.tokenizers.training import train_characters, train_words


def sentencepiece_model(tmp_path):
    return trained_tokenizer(tmp_path)[1]


def words(tmp_path):
    return train_words(TEXTS, lowercase=True, min_frequency=1)


def characters(tmp_path):
    return train_characters(TEXTS, min_frequency=1)


def config(tokenizer):
    return kr.RobertaConfig(
        vocabulary_size=len(tokenizer),
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=16,
        max_sequence_length=64,
        seed=1,
    )


def entities(answers):
    keys = ("text", "label", "start", "end")
    return [[tuple(e[key] for key in keys) for e in answer["entities"]] for answer in answers]


@pytest.mark.parametrize("make", [sentencepiece_model, words, characters])
def test_tflite_from_text(make, tmp_path):
    """Labels of words, with places of tokens, and texts longer than the file reads at a time."""
    tokenizer = make(tmp_path)
    preprocessor = kr.RobertaTokenPreprocessor(tokenizer, 24, labels=("O", "B-A", "I-A"))
    backbone = kr.RobertaBackbone(config(tokenizer))
    task = kr.RobertaTokenClassifier(backbone, preprocessor=preprocessor)
    random = np.random.default_rng(3)
    for weight in task.weights:
        if "seed" not in weight.path:
            weight.assign(np.array(weight) + random.normal(0, 0.3, weight.shape))
    path = tmp_path / "model.tflite"
    export.to_tflite(task, path, quantization="none", sequence_lengths=(24,))
    runner = export.load(path)
    texts = [*TEXTS, *generated_texts(20, seed=6), " ".join(TEXTS)]
    texts = [text.rstrip("\0") for text in texts]
    assert entities(runner.answers(texts)) == entities(task.answers(texts))
    # Its buffer has room for a text that fills a row, of letters of two bytes.
    text = " ".join(["\u0441\u043e\u0431\u0430\u043a\u0430"] * 22)
    buffer = byte_buffer.fill([text], runner.metadata["num_bytes"][0])
    num_tokens = int(runner.run("tokenize_24", utf8=buffer)["num_tokens"][0])
    assert min(num_tokens, 25) == min(len(tokenizer(text)), 25)
    for text, (ids, _) in zip(texts, runner.tokenize(texts), strict=True):
        assert ids.tolist() == tokenizer(text, add_special_tokens=False)


@pytest.mark.parametrize("make", [sentencepiece_model, pytest.param(words, marks=pytest.mark.slow)])
def test_saved_model_of_pairs_from_text(make, tmp_path):
    tokenizer = make(tmp_path)
    backbone = kr.RobertaBackbone(config(tokenizer))
    task = kr.RobertaTextClassifier(backbone, 2, preprocessor=kr.RobertaPreprocessor(tokenizer, 48))
    options = {"warmup_batch_sizes": (1,), "warmup_lengths": (8,)}
    export.to_saved_model(task, tmp_path / "1", pairs=True, **options)
    runner = export.load(tmp_path / "1")
    pairs = generated_texts(30, seed=7), generated_texts(30, seed=8)
    np.testing.assert_allclose(
        runner.predict(pairs)["probabilities"],
        task.named_outputs(pairs)["probabilities"],
        atol=1e-5,
    )
