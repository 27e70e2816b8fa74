"""Exported tokenizers whose places of tokens are wrong do not pass."""

import numpy as np
import pytest

from keras_roberta.export.check_offsets import check_offsets, check_whole_texts
from keras_roberta.export.mismatch import ExportMismatch
from keras_roberta.tokenizers.rows import aligned_rows
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout

TEXT, SECOND = "a  gém 👍 end", "it is"
# Bytes of the words and of all else that is not white space, counted by hand.
BYTES = [(0, 1), (3, 4), (4, 6), (6, 7), (8, 12), (13, 14), (14, 15), (15, 16)]


class Letters:
    """A tokenizer with a token for each character that is not white space."""

    def encode_with_offsets(self, texts):
        return [self._encode(text) for text in texts]

    def encode_aligned(self, texts, text_pairs=None, max_length=None):
        layout = SpecialTokenLayout.roberta(0, 2)
        sides = [side and self.encode_with_offsets(side) for side in (texts, text_pairs)]
        return aligned_rows(layout, *sides, layout.budget(max_length, text_pairs is not None))

    def _encode(self, text):
        places = [(i, i + 1) for i, letter in enumerate(text) if not letter.isspace()]
        return [ord(text[i]) for i, _ in places], places


def row(*changes):
    """The offsets of a row of the text, with padding behind."""
    places = np.array([(0, 0), *BYTES, (0, 0), (0, 0)], np.int32)
    for token, begin, end in changes:
        places[token] = begin, end
    return places


def test_places_in_rows():
    check_offsets([row()], Letters(), [TEXT], None, 32)
    check_offsets([row((3, 4, 5))], Letters(), [TEXT], None, 32)  # a part of the character
    for change in [(2, 2, 4), (4, 6, 8), (5, 7, 12), (0, 0, 1), (9, 15, 16)]:
        with pytest.raises(ExportMismatch, match="places tokens of 'a  gém"):
            check_offsets([row(change)], Letters(), [TEXT], None, 32)


def test_places_in_pairs():
    pair = np.array([*row()[:9], (0, 0), (0, 0), (0, 1), (1, 2), (3, 4), (4, 5), (0, 0)])
    check_offsets([pair], Letters(), [TEXT], [SECOND], 32)
    pair[11:15] += 16  # as if they lay behind the first text
    with pytest.raises(ExportMismatch, match="places tokens of 'it is'"):
        check_offsets([pair], Letters(), [TEXT], [SECOND], 32)


def test_whole_texts():
    ids, _ = Letters()._encode(TEXT)

    def check(ids, places):
        rows = [(np.array(ids), np.array(places))]
        check_whole_texts(lambda texts: rows, Letters(), [TEXT])

    check(ids, BYTES)
    with pytest.raises(ExportMismatch, match="other tokens of the whole text"):
        check(ids[:-1], BYTES[:-1])
    with pytest.raises(ExportMismatch, match="elsewhere"):
        check(ids, [*BYTES[:-1], (14, 16)])
