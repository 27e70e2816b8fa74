"""Texts of any length, tokenised bit by bit: the ids and places of the whole text."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece_models import trained_tokenizer

from keras_roberta.export.whole_texts import tokens_of_text
from keras_roberta.tokenizers.offsets import tokens_in_bytes

WORDS = ["a", "film", "the", "lovely", "Größe,", "👍", "日本", "3.5", "don't", " ", "\n", "\t", ""]


def limited_by(tokenizer, most_bytes, most_tokens):
    """A tokenizer for so many bytes and tokens, as one in a file."""

    def tokenize(utf8):
        assert len(utf8) <= most_bytes
        ((ids, offsets),) = tokens_in_bytes(tokenizer, [utf8.decode()])
        return ids[:most_tokens], offsets[:most_tokens], len(ids)

    return tokenize


@pytest.fixture(scope="module")
def limited(tokenizer):
    return functools.partial(limited_by, tokenizer)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40), st.integers(30, 60), st.integers(12, 30))
def test_words_are_never_cut(limited, tokenizer, words, most_bytes, most_tokens):
    text = " ".join(words)
    ((ids, offsets),) = tokens_in_bytes(tokenizer, [text])
    found, places = tokens_of_text(text, limited(most_bytes, most_tokens), most_bytes)
    np.testing.assert_array_equal(found, ids)
    np.testing.assert_array_equal(places, offsets)


@pytest.mark.parametrize(
    "text",
    ["x" * 300, "日本" * 60, "👍" * 50, "a" + " " * 200 + "b"],
    ids=["letters", "ideographs", "emoji", "spaces"],
)
def test_what_has_no_words_is_read_to_its_end(limited, tokenizer, text):
    """Though its tokens may be others than those of the whole text."""
    found, places = tokens_of_text(text, limited(40, 12), 40)
    assert "".join(tokenizer.decode(found).split()) == "".join(text.split())
    covered = {byte for begin, end in places for byte in range(begin, end)}
    utf8 = text.encode()
    assert {i for i in range(len(utf8)) if utf8[i : i + 1] != b" "} <= covered


def test_an_empty_text(limited):
    found, places = tokens_of_text("", limited(40, 12), 40)
    assert found.shape == (0,) and places.shape == (0, 2)


@pytest.mark.parametrize("most_tokens", [16, 40, 90])
def test_text_without_spaces_has_the_tokens_of_the_whole(tmp_path, most_tokens):
    """A Unigram tokenizer puts a piece in front of what it takes for a text's first word; the
    parts of one long word must not each get it."""
    _, tokenizer = trained_tokenizer(tmp_path)
    text = "".join(
        np.random.default_rng(5).choice(["日本", "文章", "の", "語", "です", "é", "½"], 400)
    )
    ((ids, offsets),) = tokens_in_bytes(tokenizer, [text])
    found, places = tokens_of_text(text, limited_by(tokenizer, 300, most_tokens), 300)
    np.testing.assert_array_equal(found, ids)
    np.testing.assert_array_equal(places, offsets)
