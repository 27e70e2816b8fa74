"""Which tokens are pieces of which words, by where both lie in the text."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keras_roberta.data.examples.words import Places


class Unit(NamedTuple):
    """A word and its first token. Words that share their first token count as one.

    Attributes:
        begin, end: where they lie in the text.
        word, last_word: the numbers of the first and of the last.
        token: the number of the token.
    """

    begin: int
    end: int
    word: int
    last_word: int
    token: int


def first_tokens(words: Places, offsets: np.ndarray) -> list[Unit]:
    """The first token of each word; a word that has no token is left out.

    Args:
        words: where they lie in the text, ascending.
        offsets: int (tokens, 2), where the tokens lie, in the same unit; empty for special tokens.

    >>> first_tokens([(0, 4), (4, 5)], np.array([[0, 0], [0, 2], [2, 4], [4, 5]]))[1]
    Unit(begin=4, end=5, word=1, last_word=1, token=3)
    """
    tokens, begins, ends = _placed(offsets)
    units: list[Unit] = []
    for number, (begin, end) in enumerate(words):
        place = int(np.searchsorted(begins, begin))
        if place < len(begins) and begins[place] < end:
            units.append(Unit(begin, end, number, number, int(tokens[place])))
        elif place and ends[place - 1] > begin:  # a token from the word before reaches into it
            if units and units[-1].end > begins[place - 1]:
                units[-1] = units[-1]._replace(end=end, last_word=number)
            else:
                units.append(Unit(begin, end, number, number, int(tokens[place - 1])))
    return units


def token_labels(
    words: Places,
    offsets: np.ndarray,
    word_labels: np.ndarray,
    further_labels: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What a model learns for the tokens of a text.

    Args:
        words, offsets: see `first_tokens`.
        word_labels: int (words,), the number of each word's label.
        further_labels: int (labels,), the label of a further piece of a word, by that of its first
            one. None: further pieces have no label.

    Returns:
        labels, int32 (tokens,), and whether there is one, bool (tokens,); 0 where there is none.
    """
    labels = np.zeros(len(offsets), np.int32)
    has_label = np.zeros(len(offsets), bool)
    if not words:
        return labels, has_label
    if further_labels is not None:
        tokens, begins, _ = _placed(offsets)
        places = np.array(words, np.int64)
        word = np.searchsorted(places[:, 0], begins, side="right") - 1
        inside = (word >= 0) & (begins < places[word, 1])
        labels[tokens[inside]] = further_labels[word_labels[word[inside]]]
        has_label[tokens[inside]] = True
    for unit in first_tokens(words, offsets):
        labels[unit.token] = word_labels[unit.word]
        has_label[unit.token] = True
    return labels, has_label


def _placed(offsets):
    """The numbers of tokens that lie somewhere, where they begin, and where they end."""
    offsets = np.asarray(offsets).reshape(-1, 2)
    tokens = np.flatnonzero(offsets[:, 1] > offsets[:, 0])
    return tokens, offsets[tokens, 0], offsets[tokens, 1]
