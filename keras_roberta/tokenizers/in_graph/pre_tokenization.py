r"""Splits texts into words: GPT-2's regular expression as vector operations.

    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+

Every alternative except the contractions matches a run of one class. So a word begins where the
class changes, with three exceptions. For each, a byte and its three neighbours on either side are
enough:

1. If other text follows a run of white space, the run's last character is a word of its own, since
   `\s+(?!\S)` does not match it. If this character is a plain space, it belongs to the next word
   (` ?`).
2. A contraction is found only if a match begins at its apostrophe: after a letter, a number or
   white space. After another sign, or a plain space, the apostrophe belongs to the match before.
3. A word begins behind a contraction, and none begins inside it.

Source: Radford et al., "Language models are unsupervised multitask learners", 2019, encoder.py.
"""

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.unicode_classes import OTHER, SPACE
from keras_roberta.tokenizers.in_graph.vectors import following, previous


def word_starts(utf8: tf.Tensor, classes: tf.Tensor, barriers: tf.Tensor) -> tf.Tensor:
    """Finds the bytes at which a word begins.

    Args:
        utf8: int32 [n], the bytes of well-formed UTF-8.
        classes: int32 [n], the class of each byte's character; SPACE at barriers.
        barriers: bool [n], the ends of texts and the special tokens. No word goes across a
            barrier, and each barrier is a word by itself. Its byte is 0.

    Returns:
        bool [n]
    """
    space = classes == SPACE
    before = previous(classes, fill=SPACE)
    run_ends = space & (following(classes, fill=SPACE) != SPACE)  # at the last byte of a character
    gives_back = space & tf.where(
        utf8 < 0x80, run_ends,
        tf.where(utf8 < 0xE0, following(run_ends, fill=False) & (utf8 >= 0xC0),
                 following(run_ends, 2, fill=False)))  # fmt: skip
    joins_next = gives_back & (utf8 == ord(" "))

    next1, next2 = following(utf8), following(utf8, 2)
    at_match = (utf8 == ord("'")) & (before != OTHER) & (previous(utf8) != ord(" "))
    short = at_match & is_any_of(next1, "stmd")
    long = at_match & (
        (is_any_of(next1, "rv") & (next2 == ord("e"))) | ((next1 == ord("l")) & (next2 == ord("l")))
    )
    contraction = short | long
    in_contraction = previous(contraction, fill=False) | previous(long, 2, fill=False)
    after_contraction = previous(short, 2, fill=False) | previous(long, 3, fill=False)

    starts = (classes != before) | gives_back | contraction | after_contraction
    starts &= ~(previous(joins_next, fill=False) | in_contraction)
    return starts | barriers | previous(barriers, fill=True)


def is_any_of(utf8: tf.Tensor, letters: str) -> tf.Tensor:
    """Whether each byte is one of these ASCII letters: bool [n]."""
    return tf.reduce_any([utf8 == ord(letter) for letter in letters], axis=0)


def spread(values: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Copies the value at the leading byte of each character to all of its bytes: int32 [n].

    Args:
        values: int32 [n], values at leading bytes.
        width: int32 [n], at leading bytes, the number of bytes of the character.
    """
    for distance in (1, 2, 3):  # the leading byte may be `distance` bytes before
        values = tf.where(previous(width, distance) > distance, previous(values, distance), values)
    return values
