"""Finds the ends of sentences, for packing and for sentence pairs.

The rules look at a few bytes, with NumPy. They work for all languages that write a full stop, and
take very little time compared with tokenising. tensorflow-text's `StateBasedSentenceBreaker` takes
as long as tokenising itself (`benchmarks/prepare.py`), and it ends a sentence inside "3.5".
"""

import numpy as np

from keras_roberta.errors import InputError

RULES = ("prose", "line")


def _table(byte_values):
    table = np.zeros(256, bool)
    table[list(byte_values)] = True
    return table


def _codes(characters):
    """The bytes of each character as one number."""
    return [int.from_bytes(character.encode(), "big") for character in characters]


_STOPS, _CLOSING = ".!?…।॥。！？؟۔", "\"')]”’›」』»"
_MOST_CLOSING = 3  # largest number of quotation marks and brackets behind a full stop
_SPACE = _table(b"\t\n\v\f\r ")
_LAST_BYTE = _table({c.encode()[-1] for c in _STOPS + _CLOSING})
_NO_SPACE_NEEDED = _codes("。！？")
_THEIR_FIRST_BYTE = _table({c.encode()[0] for c in "。！？"})


def sentence_ends(text: bytes, rule: str = "prose") -> np.ndarray:
    """The ends of the sentences of a text, in bytes.

    White space between two sentences belongs to the second one.

    Args:
        text: the text as UTF-8.
        rule: "line" ends a sentence only at line breaks. "prose" ends a sentence at blank lines,
            behind `。！？`, and at white space that follows a mark such as `. ! ? …`. Closing
            quotation marks and brackets may stand between the mark and the white space. A single
            line break is ordinary white space.

    Returns:
        int64 (sentences,); the last value is the length of the text.

    Raises:
        InputError: there is no such rule.

    >>> sentence_ends('It is 3.5 m. "Yes!" No'.encode()).tolist()
    [12, 19, 22]
    """
    if rule not in RULES:
        raise InputError(f"sentences {rule!r}: expected one of {', '.join(RULES)}")
    data = np.frombuffer(text, np.uint8)
    edges = np.flatnonzero(np.diff(_SPACE[data], prepend=False, append=False))
    begin, end = edges[::2], edges[1::2]  # of each run of white space
    breaks = np.concatenate([[0], np.flatnonzero(data == ord("\n")) + 1])
    breaks = np.searchsorted(breaks, end + 1) - np.searchsorted(breaks, begin + 1)
    if rule == "line":
        ends = begin[breaks > 0]
    else:
        padded = np.concatenate([np.zeros(3, np.uint8), data])
        maybe = begin[_LAST_BYTE[padded[begin + 2]]]
        wide = np.flatnonzero(_THEIR_FIRST_BYTE[data[:-2]]) + 3
        ends = np.unique(
            np.concatenate(
                [
                    begin[breaks > 1],
                    maybe[_ends_with_stop(padded, maybe + 3)],
                    wide[np.isin(_codes_before(padded, wide + 3)[2], _NO_SPACE_NEEDED)],
                ]
            )
        )
    return np.append(ends[(ends > 0) & (ends < len(data))], len(data)).astype(np.int64)


def _ends_with_stop(data, ends):
    """Whether a full stop comes before each place, apart from closing marks in between."""
    for _ in range(_MOST_CLOSING):
        ends = np.maximum(ends - _length_of_one(data, ends, _CLOSING), 3)
    return _length_of_one(data, ends, _STOPS) > 0


def _length_of_one(data, ends, characters):
    """The bytes of the character before each place if it is one of `characters`, else 0."""
    lengths = np.zeros(len(ends), np.int64)
    for size, codes in enumerate(_codes_before(data, ends), 1):
        those = _codes(c for c in characters if len(c.encode()) == size)
        lengths[np.isin(codes, those)] = size
    return lengths


def _codes_before(data, ends):
    """The last byte, last two and last three bytes before each place, each as one number."""
    last = data[ends - 1].astype(np.int64)
    two = last | data[ends - 2].astype(np.int64) << 8
    return last, two, two | data[ends - 3].astype(np.int64) << 16
