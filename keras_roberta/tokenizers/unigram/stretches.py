"""Texts as stretches: added tokens that they spell out, and what lies between, in parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from tokenizers import Tokenizer as RustTokenizer
from tokenizers import models

from keras_roberta.tokenizers.added_tokens import AddedToken
from keras_roberta.tokenizers.offsets import without_spaces_around
from keras_roberta.tokenizers.rust_tokenizer import add_to
from keras_roberta.tokenizers.unigram.long_texts import BLOCK, part_begins

_BETWEEN = "\U0010ffff"  # a noncharacter of Unicode, which no token is called


class Stretch(NamedTuple):
    """A part of a text: its characters, and its id where it is an added token."""

    begin: int
    end: int
    token_id: int | None = None


class StretchFinder:
    """Finds added tokens as the `tokenizers` library does, in the text as it is written.

    Args:
        tokens: which.
    """

    def __init__(self, tokens: Sequence[AddedToken]):
        contents = [re.escape(token.content) for token in tokens]
        self._any = re.compile("|".join(contents) or r"(?!)")
        # To the library, all between added tokens is one word, which it does not know.
        self._rust = RustTokenizer(models.WordLevel({_BETWEEN: 0}, unk_token=_BETWEEN))
        add_to(self._rust, tokens)
        self._ids = {self._rust.token_to_id(token.content): token.id for token in tokens}

    def __call__(self, text: str) -> list[Stretch]:
        """The stretches of a text, none of them empty."""
        if not self._any.search(text):
            return _parts(text, 0, len(text)) if text else []
        found = []
        encoding = self._rust.encode(text, add_special_tokens=False)
        for index, (begin, end) in zip(encoding.ids, encoding.offsets, strict=True):
            if index not in self._ids:
                found += _parts(text, begin, end)
            else:  # an added token's white space is not its own
                place = without_spaces_around(text, begin, end)
                found.append(Stretch(*place, self._ids[index]))
        return found


def _parts(text: str, begin: int, end: int) -> list[Stretch]:
    if 4 * (end - begin) <= BLOCK:  # no character has more bytes
        return [Stretch(begin, end)]
    utf8 = text[begin:end].encode()
    places = [begin + len(utf8[:place].decode()) for place in part_begins(utf8)]
    return [Stretch(a, b) for a, b in zip(places, [*places[1:], end], strict=True)]
