"""Corpora, batches and tasks take every kind of tokenizer."""

import numpy as np
import pytest
from small_tokenizers import words, write
from tokenizers import normalizers

import keras_roberta
from keras_roberta import export
from keras_roberta.data.corpus.corpora import Document
from keras_roberta.data.corpus.encoding import DocumentEncoder
from keras_roberta.data.corpus.scripts import SCRIPTS, token_scripts
from keras_roberta.data.corpus.shards import NO_LABEL, open_shards
from keras_roberta.errors import InputError
from keras_roberta.jobs.prepare import one_machine
from keras_roberta.tokenizers import open_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tokenizer_of_a_kind):
    return tokenizer_of_a_kind


def test_scripts_of_tokens(tokenizer):
    scripts = token_scripts(tokenizer)
    assert scripts.shape == (tokenizer.vocabulary_size,)
    ids = tokenizer("the dog.", add_special_tokens=False)
    names = [SCRIPTS[scripts[index]] for index in ids]
    assert names[-1] == "other" and "latin" in names and set(names) == {"latin", "other"}
    assert (scripts[list(tokenizer.special_token_ids)] == NO_LABEL).all()


def test_sentences_of_a_corpus(tokenizer):
    texts = ["the fox sees a dog. The dog sleeps! a", "den Fuchs, \u00c4rger.  the fox", "\u65e5"]
    encoded = DocumentEncoder(tokenizer)([Document(text, "en", "here") for text in texts])
    sentences = [[len(s) for s in _sentences(tokenizer, text)] for text in texts]
    assert [one.sentence_lengths.tolist() for one in encoded] == sentences
    for text, one in zip(texts, encoded, strict=True):
        assert one.token_ids.tolist() == tokenizer(text, add_special_tokens=False)


def _sentences(tokenizer, text):
    """Tokens of each sentence, by the end of its full stop."""
    ((ids, offsets),) = tokenizer.encode_with_offsets([text])
    stops = [i + 1 for i in range(len(text)) if text[i] in ".!" and i + 1 < len(text)]
    numbers = [sum(end > stop for stop in stops) for _, end in offsets]
    return [[i for i, n in zip(ids, numbers, strict=True) if n == k] for k in sorted({*numbers})]


def test_labels_of_a_corpus(tokenizer):
    text = "the lazy fox sees \u00c4rger"
    labels = ((4, 12, "ANIMAL"), (18, 23, "MOOD"))
    encoder = DocumentEncoder(tokenizer, token_classes=("O", "ANIMAL", "MOOD"))
    (one,) = encoder([Document(text, "en", "here", labels)])
    ((ids, offsets),) = tokenizer.encode_with_offsets([text])
    for label, (begin, end) in zip(one.labels, offsets, strict=True):
        if text[begin:end].strip():
            assert label == (1 if 4 <= begin < 12 else 2 if begin >= 18 else 0), text[begin:end]


def test_documents_without_tokens_are_left_out(tmp_path):
    made = words()
    made.normalizer = normalizers.Replace("\u200b", "")
    tokenizer = open_tokenizer(write(made, tmp_path))
    texts = ["the fox.", "\u200b\u200b", "a dog\u200b"]
    encoded = DocumentEncoder(tokenizer)([Document(text, "en", "here") for text in texts])
    assert [spelt(tokenizer, one.token_ids) for one in encoded] == [
        ["the", "fox", "."],
        ["a", "dog"],
    ]
    assert [one.sentence_lengths.tolist() for one in encoded] == [[3], [2]]
    assert DocumentEncoder(tokenizer)([Document("\u200b", "en", "here")]) == []


def spelt(tokenizer, ids):
    return [tokenizer.id_to_token(index) for index in ids]


def test_prepare_and_a_preset(directory, tokenizer, tmp_path):
    (tmp_path / "corpus.txt").write_text("the fox sees a dog. The dog sleeps!\n\na lazy dog\n")
    manifest = one_machine.prepare(
        tmp_path / "corpus.txt", directory, tmp_path / "shards", processes=1
    )
    assert manifest["tokenizer"]["fingerprint"] == tokenizer.fingerprint
    shards = open_shards(tmp_path / "shards")
    assert shards.tokenizer == tokenizer
    found = {
        tokenizer.decode(ids) for split in ("train", "heldout") for ids in shards.documents(split)
    }
    expected = ["the fox sees a dog. The dog sleeps!", "a lazy dog"]
    assert found == {
        tokenizer.decode(tokenizer(text, add_special_tokens=False)) for text in expected
    }

    task = keras_roberta.RobertaTextClassifier(
        keras_roberta.RobertaBackbone(
            keras_roberta.RobertaConfig(
                vocabulary_size=tokenizer.vocabulary_size,
                num_layers=1,
                num_heads=2,
                hidden_dim=8,
                intermediate_dim=16,
                max_sequence_length=128,
            )
        ),
        2,
        preprocessor=keras_roberta.RobertaPreprocessor(tokenizer, sequence_length=16),
    )
    task.save_to_preset(tmp_path / "preset")
    again = keras_roberta.RobertaTextClassifier.from_preset(tmp_path / "preset")
    assert again.preprocessor.tokenizer == tokenizer
    np.testing.assert_array_equal(
        again.predict_on_batch(["a dog"]), task.predict_on_batch(["a dog"])
    )
    if tokenizer.kind_name == "Unigram":  # read by the `tokenizers` library
        assert tokenizer.batched_in_graph() is None and tokenizer.static_in_graph() is None
        for write_to in (export.to_tflite, export.to_saved_model):
            with pytest.raises(
                InputError, match="cannot go into the model, since .* its kind; .*inputs='tokens'"
            ):
                write_to(task, tmp_path / "model")
        assert not (tmp_path / "model").exists()
