"""Tokenizers of every kind that can be learnt: their layout, their files, their promises."""

import json

import numpy as np
import pytest
from small_tokenizers import SPECIALS
from tokenizers import Tokenizer as Library

from keras_roberta.errors import InputError
from keras_roberta.tokenizers import open_tokenizer
from keras_roberta.tokenizers.training import (
    KINDS,
    train_characters,
    train_tokenizer,
    train_unigram,
    train_words,
)

TEXTS = [
    "The fox sees a lazy dog, and the dog sleeps.",
    "It's 3.5 m\u00b2 of \u00fcbung; \u65e5\u672c\u8a9e and e\u0301t\u00e9, a_b",
    "a fox\u200dfox <mask> the </s> dog",
] * 3
# Of each kind a text, what it is cut into, and what comes back.
CASES = {
    "bpe": ("a fox, dog", None, "a fox, dog"),
    "unigram": ("a fox, dog", None, "a fox, dog"),
    "word": ("The  fox's 3.5 m\u00b2a_b!", "The fox ' s 3 . 5 <unk> <unk>", "The fox ' s 3 . 5"),
    "char": ("a  e\u0301Q", ["a", " ", " ", "e", "\u0301", "<unk>"], "a  e\u0301"),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def tokenizer(kind):
    return train_tokenizer(TEXTS, kind, vocabulary_size=300)


def test_every_kind_has_a_case():
    assert set(CASES) == set(KINDS)


def test_layout(tokenizer):
    last = tokenizer.vocabulary_size - 1
    assert tokenizer.special_token_ids == (0, 1, 2, 3, last)
    assert [tokenizer.token_to_id(token) for token in SPECIALS] == [0, 1, 2, 3, last]
    assert len(tokenizer.vocabulary) == tokenizer.vocabulary_size <= 300
    # Special tokens in the corpus were not learnt as text.
    assert not any("mas" in token for token in tokenizer.vocabulary if token != "<mask>")


def test_what_it_learns(tokenizer, kind):
    text, tokens, back = CASES[kind]
    ids = tokenizer(text)
    assert tokenizer.decode(ids) == back
    if tokens is not None:
        tokens = tokens.split() if isinstance(tokens, str) else tokens
        assert tokenizer.tokenize(text) == tokens
    assert tokenizer.unk_token_id in tokenizer("\u2603") or kind == "bpe"


def test_rows_pairs_masks_and_offsets(tokenizer):
    first, second = tokenizer(["a dog", "the fox"], add_special_tokens=False)
    assert tokenizer("a dog", "the fox") == [0, *first, 2, 2, *second, 2]
    assert tokenizer("a <mask>").count(tokenizer.mask_token_id) == 1
    ((ids, places),) = tokenizer.encode_with_offsets(["the lazy  <mask> fox"])
    assert places[ids.index(tokenizer.mask_token_id)] == (10, 16)
    assert all(0 <= begin <= end <= 20 for begin, end in places)
    assert max(end for _, end in places) == 20
    plain = tokenizer.encode_plain(["a <mask> fox"])
    assert not np.isin(plain.token_ids, [0, 1, 2, tokenizer.mask_token_id]).any()


def test_files(tokenizer, kind, tmp_path):
    tokenizer.save(tmp_path / "saved")
    again = open_tokenizer(tmp_path / "saved")
    assert again == tokenizer and type(again) is type(tokenizer)
    assert again.kind_name == tokenizer.kind_name
    assert again(TEXTS) == tokenizer(TEXTS)
    # What Transformers makes of the file.
    library = Library.from_file(str(tmp_path / "saved" / "tokenizer.json"))
    assert [encoding.ids for encoding in library.encode_batch(TEXTS)] == tokenizer(TEXTS)
    assert library.encode("a dog", "the fox").ids == tokenizer("a dog", "the fox")
    config = json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())
    assert config["mask_token"] == "<mask>"
    again.add_tokens(["lazy dog"])
    assert again.tokenize("a lazy dog").count("lazy dog") == 1
    again.save(tmp_path / "added")
    assert open_tokenizer(tmp_path / "added")("a lazy dog") == again("a lazy dog")


def test_training_is_repeatable(tokenizer, kind):
    assert train_tokenizer(iter(TEXTS), kind, vocabulary_size=300) == tokenizer
    assert train_tokenizer(TEXTS, kind, vocabulary_size=290).vocabulary_size <= 290


def test_most_frequent_first():
    texts = ["b b b a a c", "c d"]
    words = train_words(texts, vocabulary_size=8, min_frequency=1)
    assert [words.id_to_token(i) for i in range(8)] == [*SPECIALS[:4], "b", "a", "c", "<mask>"]
    assert words.tokenize("c d") == ["c", "<unk>"]
    assert train_words(texts).token_to_id("d") is None  # once is too rare
    assert train_words(texts, min_frequency=3).vocabulary_size == 6
    letters = train_characters(texts, min_frequency=2)
    assert [letters.id_to_token(i) for i in range(4, 8)] == [" ", "b", "a", "c"]


@pytest.mark.parametrize("kind", ["unigram", "word", "char"])
def test_small_letters(kind):
    lower = train_tokenizer(TEXTS, kind, vocabulary_size=300, lowercase=True)
    assert lower("THE Fox \u00c9") == lower("the fox \u00e9") != lower("the dog")
    assert lower("A <mask>")[-2] == lower.mask_token_id
    assert lower.encode_with_offsets(["THE fox"])[0][1][-1][1] == 7


def test_what_is_not_unicode_is_learnt_as_it_is_read(kind):
    tokenizer = train_tokenizer(["a \ud800 d \ud83d\ude00"] * 4, kind, vocabulary_size=300)
    assert tokenizer("a \ud800 d") == tokenizer("a \ufffd d")


def test_words_of_more_than_a_hundred_characters_are_unknown():
    """Graphs take a step for each character of the longest word."""
    texts = ["x" * 5000 + " a " + "y" * 100 + " " + "z" * 101] * 2
    assert set(train_words(texts).vocabulary) == {*SPECIALS, "a", "y" * 100}


def test_long_lines_are_learnt_too():
    """sentencepiece leaves lines of more than 4,192 bytes out."""
    text = "wolf " * 3_000 + "\u65e5" * 3_000
    found = train_unigram([text], vocabulary_size=40)
    assert any("wolf" in token for token in found.vocabulary)
    assert found.tokenize("\u65e5")[-1] != "<unk>"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(texts="one string"), "single"),
        (dict(texts=[]), "no text"),
        (dict(texts=["", ""]), "no text"),
        (dict(texts=[b"bytes"]), "strings"),
        (dict(texts=["a b"], vocabulary_size=5), "vocabulary_size 5: .* alone take"),
        (dict(texts=["a b"], vocabulary_size=0), "vocabulary_size 0: .* alone take"),
    ],
)
def test_every_kind_refuses(kind, arguments, message):
    with pytest.raises(InputError, match=message):
        train_tokenizer(kind=kind, **arguments)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("bytes", {}, "kind 'bytes': expected one of bpe, unigram, word, char"),
        ("bpe", dict(lowercase=True), "lowercase means nothing to the kind bpe; leave it out"),
        ("unigram", dict(min_frequency=2), "min_frequency means nothing to the kind unigram"),
        ("unigram", dict(vocabulary_size=12), "the characters .* alone take \\d+; give more"),
        ("word", dict(min_frequency=0), "min_frequency 0: expected 1 or more"),
        ("word", dict(min_frequency=100), "no token occurs 100 times"),
    ],
)
def test_settings_that_do_not_fit(kind, settings, message):
    with pytest.raises(InputError, match=message) as caught:
        train_tokenizer(TEXTS, kind, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["unigram", "word"])
def test_white_space_alone_is_nothing_to_learn(kind):
    with pytest.raises(InputError, match="nothing to learn"):
        train_tokenizer([" ", "\n"], kind)
