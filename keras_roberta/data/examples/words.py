"""Words: those that are given, joined to a text, and those that a text is split into.

A word is where it lies in its text: the number of its first character, and of the one behind its
last.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import numpy as np

Places = list[tuple[int, int]]

# Thai, Lao, Burmese, Khmer, kana, ideographs: written without spaces, so that each letter is taken
# for a word.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_FLAG_LETTERS = "\U0001f1e6-\U0001f1ff"  # a flag is drawn for two of them
_PIECE = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])\w)+|[{_FLAG_LETTERS}]{{2}}|\S")
_IS_FLAG_LETTER = re.compile(f"[{_FLAG_LETTERS}]").fullmatch
_CHUNK = re.compile(r"\S+")
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_POSSESSIVE = re.compile(r"['’][sS]$")
_JOINER = "\u200d"  # of emoji that are drawn as one


def join_words(words: Iterable[str]) -> tuple[str, Places]:
    """Words as a text with a space between them, and where they lie in it.

    >>> join_words(["Nuuk", "!"])
    ('Nuuk !', [(0, 4), (5, 6)])
    """
    places, begin = [], 0
    words = list(words)
    for word in words:
        places.append((begin, begin + len(word)))
        begin += len(word) + 1
    return " ".join(words), places


def finest_words(text: str) -> Places:
    """Runs of letters and digits, and every other character by itself; what is drawn as one
    character stays together.

    >>> [ "It's @Nuuk."[begin:end] for begin, end in finest_words("It's @Nuuk.")]
    ['It', "'", 's', '@', 'Nuuk', '.']
    """
    places: Places = []
    for match in _PIECE.finditer(text):
        begin, end = match.span()
        word = text[places[-1][0] : begin] if places and places[-1][1] == begin else ""
        if word and _goes_together(word, text[begin]):
            places[-1] = (places[-1][0], end)
        else:
            places.append((begin, end))
    return places


def usual_words(text: str) -> Places:
    """Words about as corpora have them: white space parts them, and punctuation at their edges is
    set apart, but not `@` and `#` in front, which begin names; so is a possessive ending.

    >>> text = '"It\\'s York-based", @sam said'
    >>> [text[begin:end] for begin, end in usual_words(text)]
    ['"', 'It', "'s", 'York-based', '"', ',', '@sam', 'said']
    """
    places: Places = []
    for chunk in _CHUNK.finditer(text):
        begin, end = chunk.span()
        if _HAS_UNSPACED.search(chunk[0]):
            places += [(begin + a, begin + b) for a, b in finest_words(chunk[0])]
            continue
        if not re.search(r"\w", chunk[0]):  # such as "..." and ":-)"
            places.append((begin, end))
            continue
        parts = [(begin + a, begin + b) for a, b in finest_words(chunk[0])]
        shown = [text[a:b] for a, b in parts]
        one, last = 0, len(parts) - 1
        while not re.search(r"\w", shown[one]) and shown[one] not in ("@", "#"):
            one += 1
        while last > one and not re.search(r"\w", shown[last]):
            last -= 1
        first, behind = parts[one][0], parts[last][1]
        places += parts[:one]
        ending = _POSSESSIVE.search(text[first:behind])
        if ending and ending.start():
            places.append((first, first + ending.start()))
            first += ending.start()
        places.append((first, behind))
        places += parts[last + 1 :]
    return places


def goes_on(character: str) -> bool:
    """Whether a character is drawn as one with the character in front of it."""
    return character == _JOINER or _is_mark(character)


def cuts_character(text: str, place: int) -> bool:
    """Whether what is drawn as one character lies on both sides of a place.

    >>> cuts_character("e\\u0301t", 1), cuts_character("et", 1)
    (True, False)
    """
    if not 0 < place < len(text):
        return False
    if goes_on(text[place]) or text[place - 1] == _JOINER:
        return True
    letters = place
    while letters and _IS_FLAG_LETTER(text[letters - 1]):
        letters -= 1
    return bool(_IS_FLAG_LETTER(text[place])) and (place - letters) % 2 == 1


def places_in_characters(text: str, places: np.ndarray) -> np.ndarray:
    """Places in the UTF-8 of a text, int (..., 2), as places of whole characters.

    >>> places_in_characters("é!", np.array([[0, 1], [2, 3]])).tolist()
    [[0, 1], [1, 2]]
    """
    if text.isascii():
        return np.asarray(places)
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    sizes = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    begins = np.cumsum(sizes) - sizes  # the first byte of each character
    places = np.asarray(places)
    first = np.searchsorted(begins, places[..., 0], side="right") - 1
    behind = np.searchsorted(begins, places[..., 1], side="left")
    return np.stack([np.where(places[..., 0] >= sizes.sum(), len(text), first), behind], axis=-1)


def _goes_together(word, character):
    """Whether a character that follows a word is of it although a pattern parts them."""
    if goes_on(character) or word[-1] == _JOINER:
        return True
    # The mark may also be on what is no letter, as an emoji's skin tone.
    return _is_mark(word[-1]) and character.isalnum() and (word[0].isalnum() or word[0] == "_")


def _is_mark(character):
    """Accents, vowel signs, variation selectors and skin tones."""
    if character.isascii():
        return False
    return unicodedata.category(character)[0] == "M" or "\U0001f3fb" <= character <= "\U0001f3ff"
