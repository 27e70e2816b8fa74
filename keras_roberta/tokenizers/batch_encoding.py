"""What calling a tokenizer with Hugging Face's options gives."""

from __future__ import annotations

from typing import Any, NamedTuple


class Token(NamedTuple):
    """A token of a row.

    Attributes:
        id: its number.
        offsets: where it lies in its text, in characters.
        word: the number of its word in the text; None for special tokens around texts.
        side: 0 in the text, 1 in the second text of a pair, None around them.
    """

    id: int
    offsets: tuple[int, int] = (0, 0)
    word: int | None = None
    side: int | None = None


class BatchEncoding(dict):
    """What a call gives: arrays or lists by name, which are attributes as well (`.input_ids`)."""

    def __init__(self, values: dict[str, Any], rows: list[list[Token]], names: list[list[str]]):
        super().__init__(values)
        self._rows, self._names = rows, names

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name!r}") from None

    def __reduce__(self):
        return type(self), (dict(self), self._rows, self._names)

    def tokens(self, row: int = 0) -> list[str]:
        """The tokens of a row as the vocabulary spells them."""
        return list(self._names[row])

    def word_ids(self, row: int = 0) -> list[int | None]:
        """The number of the word that each token is of; None for special tokens around texts
        and for padding."""
        return [token.word for token in self._rows[row]]

    def sequence_ids(self, row: int = 0) -> list[int | None]:
        """Which text of a pair each token is of, 0 or 1; None for special tokens around them and
        for padding."""
        return [token.side for token in self._rows[row]]

    def char_to_token(
        self, row: int, character: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The place of the token that holds a character of a text; None where there is none.

        Of one text the number of the character is enough: `char_to_token(7)`.
        """
        if character is None:
            row, character = 0, row
        for place, token in enumerate(self._rows[row]):
            if token.side == sequence_index and token.offsets[0] <= character < token.offsets[1]:
                return place
        return None
