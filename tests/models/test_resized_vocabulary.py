import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.tokenizers import RobertaTokenizer

IDS = np.array([[0, 9, 8, 7, 2, 1]], "int32")


def tasks(config, tokenizer):
    backbone = kr.RobertaBackbone(config)
    masks = kr.RobertaMaskedLMPreprocessor(tokenizer, 16)
    yield kr.RobertaMaskedLM(backbone, preprocessor=masks)
    yield kr.RobertaTextClassifier(
        backbone, 3, kr.RobertaPreprocessor(tokenizer, 16, labels=["a", "b", "c"]), hidden_dim=5
    )
    yield kr.RobertaPretrainer(backbone, ("mlm", "sop"), preprocessor=masks)


@pytest.mark.parametrize("tied", [True, False])
def test_old_tokens_are_as_before(config, tokenizer, tied):
    config = config.replace(tie_word_embeddings=tied)
    for task in tasks(config, tokenizer):
        larger = task.resize_vocabulary(config.vocabulary_size + 7)
        assert type(larger) is type(task) and larger.preprocessor is task.preprocessor
        assert larger.backbone.config == config.replace(vocabulary_size=config.vocabulary_size + 7)
        found, expected = larger(IDS), task(IDS)
        if isinstance(expected, dict):
            found, expected = found["mlm"], expected["mlm"]
        found, expected = np.asarray(found), np.asarray(expected)
        np.testing.assert_allclose(found[..., : expected.shape[-1]], expected, atol=1e-6)
        table = np.asarray(larger.backbone.token_embedding.embeddings)
        old, new = table[:-7], table[-7:]
        assert np.abs(new - old.mean(axis=0)).max() < 0.1 * old.std()
        assert len(np.unique(new, axis=0)) == 7


def test_fewer_tokens(config, tokenizer):
    backbone = kr.RobertaBackbone(config)
    smaller = backbone.resize_vocabulary(20)
    np.testing.assert_allclose(smaller(IDS), backbone(IDS), atol=1e-6)


def test_together_with_a_tokenizer(config, tokenizer):
    vocabulary = tokenizer.vocabulary
    vocabulary["fine" + "fine"] = len(vocabulary)
    other = RobertaTokenizer(vocabulary, tokenizer.merges)
    task = list(tasks(config, tokenizer))[1]
    larger = task.resize_vocabulary(tokenizer=other)
    assert larger.backbone.config.vocabulary_size == other.vocabulary_size
    assert larger.preprocessor.tokenizer is other
    assert larger.labels == ("a", "b", "c") and larger.hidden_dim == 5
    texts = ["a fine film"]
    np.testing.assert_allclose(
        larger.predict(texts, verbose=0), task.predict(texts, verbose=0), atol=1e-6
    )


def test_what_does_not_fit(config, tokenizer):
    task = list(tasks(config, tokenizer))[1]
    with pytest.raises(InputError, match="largest id is 299, .* vocabulary of 250"):
        task.resize_vocabulary(250)
    with pytest.raises(InputError, match="end_token_id"):
        task.backbone.resize_vocabulary(2)
    with pytest.raises(InputError, match="vocabulary_size: give it, or a tokenizer"):
        kr.RobertaTextClassifier(task.backbone, 2).resize_vocabulary()
    task.backbone.enable_lora(2)
    with pytest.raises(InputError, match="adapters"):
        task.resize_vocabulary(400)


@pytest.mark.parametrize("tied", [True, False])
def test_rows_that_stay(config, tokenizer, tied):
    rows = np.array([0, 1, 2, 3, 299, 40, 7, 200, 8, 9])
    old = np.array([[0, 9, 8, 200, 299, 2, 1]], "int32")
    new = np.array([[0, 9, 8, 7, 4, 2, 1]], "int32")
    config = config.replace(tie_word_embeddings=tied, num_layers=1)
    for task in tasks(config, tokenizer):
        for weight in task.weights:  # biases begin as zeros
            weight.assign(weight + np.random.default_rng(3).normal(size=weight.shape))
        smaller = task.backbone.resize_vocabulary(rows=rows)
        assert smaller.config == task.backbone.config.replace(vocabulary_size=10)
        np.testing.assert_allclose(smaller(new), task.backbone(old), atol=1e-5)
        found = type(task).resize_vocabulary(_without_tokenizer(task), rows=rows)(new)
        expected = task(old)
        if isinstance(expected, dict):
            assert found.keys() == expected.keys()
            np.testing.assert_allclose(found["sop"], expected["sop"], atol=1e-5)
            found, expected = found["mlm"], expected["mlm"]
        expected = np.asarray(expected)
        expected = expected if expected.shape[-1] == 3 else expected[..., rows]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def _without_tokenizer(task):
    task.preprocessor = None
    return task


def test_with_a_trimmed_tokenizer(config, tokenizer):
    task, texts = list(tasks(config, tokenizer))[1], ["a fine film", "dull"]
    trimmed, rows = tokenizer.trimmed(tokenizer.encode_ragged(texts)[0])
    assert len(rows) < tokenizer.vocabulary_size
    with pytest.raises(InputError, match="rows: the tokenizer has fewer tokens"):
        task.resize_vocabulary(tokenizer=trimmed)
    smaller = task.resize_vocabulary(tokenizer=trimmed, rows=rows)
    assert smaller.preprocessor.tokenizer is trimmed
    np.testing.assert_allclose(
        smaller.predict(texts, verbose=0), task.predict(texts, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 1, 2, 300], "rows: 300 is no row of a table of 300"),
        ([0, 1, 2, -1], "rows: -1 is no row"),
        ([[0, 1]], "rows: expected whole numbers, the old row of each new one"),
        ([], "rows: expected whole numbers, the old row of each new one"),
        ([0.5], "rows: expected whole numbers, the old row of each new one"),
        ([1, 0, *range(2, 300)], "rows: give fewer than the model has, 300"),
        ([0, 1, 3], "rows: they lack end_token_id, 2; add it"),
        ([1, 0, 2], "rows: pad_token_id 1 must stay where it is"),
    ],
)
def test_wrong_rows(config, rows, message):
    with pytest.raises(InputError, match=message):
        kr.RobertaBackbone(config).resize_vocabulary(rows=rows)
