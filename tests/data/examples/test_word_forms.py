"""The forms in which texts with labels of their words come."""

import pytest

from keras_roberta.data.examples.word_forms import labels_apart, texts_and_words

WORDS, TAGS = [["in", "Nuuk"]], [["O", "B-LOC"]]


@pytest.mark.parametrize("texts", [("in Nuuk", "at home"), ("a", "b", "c")])
def test_a_tuple_of_strings_is_texts(texts):
    assert labels_apart(texts) == (texts, None, None)
    assert texts_and_words(texts) == (list(texts), [None] * len(texts))


@pytest.mark.parametrize(
    "data", [(WORDS, TAGS), [(WORDS[0], TAGS[0])], {"tokens": WORDS, "tags": TAGS}]
)
def test_labels_come_along(data):
    x, y, weights = labels_apart(data)
    assert (texts_and_words(x)[0], y, weights) == (["in Nuuk"], TAGS, None)


def test_surrogates_are_joined_before_places_are_counted():
    pair = "\ud83d\ude00"
    expected = (["😀 Nuuk"], [[(0, 1), (2, 6)]])
    assert texts_and_words([[pair, "Nuuk"]]) == expected
    assert texts_and_words([f"{pair} Nuuk"])[0] == expected[0]
