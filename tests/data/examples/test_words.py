"""Words of texts, and the tokens that are their pieces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_roberta.data.examples.word_tokens import first_tokens, token_labels
from keras_roberta.data.examples.words import (
    cuts_character,
    finest_words,
    join_words,
    places_in_characters,
    usual_words,
)

FINEST = {
    "It's @Nuuk.": ["It", "'", "s", "@", "Nuuk", "."],
    "हिन्दी भाषा": ["हिन्दी", "भाषा"],
    "👍🏽👩‍👧 ok": ["👍🏽", "👩‍👧", "ok"],
    "👍🏽Sam ❤️1": ["👍🏽", "Sam", "❤️", "1"],
    "🇬🇱🇩🇰🇬Nuuk": ["🇬🇱", "🇩🇰", "🇬", "Nuuk"],
    "東京は1 day": ["東", "京", "は", "1", "day"],
    "e\u0301te\u0301 x_1": ["e\u0301te\u0301", "x_1"],
    " \n": [],
}
USUAL = {
    '"It\'s York-based", @sam said': ['"', "It", "'s", "York-based", '"', ",", "@sam", "said"],
    "see (U.S.) ... :-)": ["see", "(", "U.S", ".", ")", "...", ":-)"],
    "東京 day": ["東", "京", "day"],
    "'s": ["'", "s"],
    "❤️Nuuk (👍🏽Sam)👍🏽": ["❤️", "Nuuk", "(", "👍🏽", "Sam", ")", "👍🏽"],
    "👩\u200dSam, \u200dx.": ["👩\u200dSam", ",", "\u200dx", "."],
    "🇬🇱Nuuk🇬🇱": ["🇬🇱", "Nuuk", "🇬🇱"],
    "(e\u0301te\u0301)": ["(", "e\u0301te\u0301", ")"],
    "": [],
}


@pytest.mark.parametrize(
    ("split", "text", "words"),
    [(finest_words, *case) for case in FINEST.items()]
    + [(usual_words, *case) for case in USUAL.items()],
    ids=range(len(FINEST) + len(USUAL)),
)
def test_words_of_a_text(split, text, words):
    assert [text[begin:end] for begin, end in split(text)] == words


def test_places_within_what_is_drawn_as_one():
    text = "e\u0301🇬🇱🇩🇰👍🏽a"
    cut = [place for place in range(len(text) + 1) if cuts_character(text, place)]
    assert cut == [1, 3, 5, 7]


# Marks, an emoji with a skin tone, a joiner and the letters of flags among others.
DRAWN = st.text(
    st.sampled_from("aé1_@#.' \u0301\ufe0f\u200d👍🏽❤🇬🇱東ก") | st.characters(), max_size=30
)


@given(DRAWN, st.sampled_from([finest_words, usual_words]))
def test_words_cut_no_character(text, split):
    assert not any(cuts_character(text, place) for pair in split(text) for place in pair)


@given(DRAWN, st.sampled_from([finest_words, usual_words]))
def test_words_ascend_and_hold_all_but_white_space(text, split):
    places = split(text)
    flat = [place for pair in places for place in pair]
    assert flat == sorted(flat) and all(begin < end for begin, end in places)
    assert "".join(text[b:e] for b, e in places) == "".join(text.split())


@given(st.text(max_size=30).map(lambda text: text.encode(errors="ignore").decode()))
def test_bytes_become_whole_characters(text):
    size = len(text.encode())
    begins = np.array([len(text[:i].encode()) for i in range(len(text) + 1)], int)
    for byte in range(size):
        ((first, behind),) = places_in_characters(text, np.array([[byte, byte + 1]]))
        assert begins[first] <= byte < begins[first + 1] and behind == first + 1


TEXT, WORDS = join_words(["Sam", "Nuuk,", "x"])  # Sam Nuuk, x
OFFSETS = np.array([[0, 0], [0, 3], [4, 6], [6, 8], [8, 9], [10, 11], [0, 0]])


def test_pieces_of_words():
    assert [unit.token for unit in first_tokens(WORDS, OFFSETS)] == [1, 2, 5]
    words = np.array([1, 3, 0])
    labels, has_label = token_labels(WORDS, OFFSETS, words)
    assert labels.tolist() == [0, 1, 3, 0, 0, 0, 0]
    assert has_label.tolist() == [False, True, True, False, False, True, False]
    further = np.array([0, 2, 2, 4, 4])  # B- to I-
    labels, has_label = token_labels(WORDS, OFFSETS, words, further)
    assert labels.tolist() == [0, 1, 3, 4, 4, 0, 0]
    assert has_label.tolist() == [False, True, True, True, True, True, False]


def test_a_token_over_several_words():
    """Such as the one of `."`: these are one; and a word without a token has no label."""
    words = [(0, 3), (3, 4), (4, 5), (6, 7)]
    offsets = np.array([[0, 3], [3, 5]])
    units = first_tokens(words, offsets)
    assert [(u.begin, u.end, u.word, u.last_word, u.token) for u in units] == [
        (0, 3, 0, 0, 0),
        (3, 5, 1, 2, 1),
    ]


def test_pieces_of_a_character_lie_on_the_same_place():
    units = first_tokens([(0, 1), (2, 3)], np.array([[0, 1], [0, 1], [0, 1], [2, 3]]))
    assert [unit.token for unit in units] == [0, 3]
