r"""GPT-2's pattern as vector operations: where do words begin?

    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+

Every alternative but the contractions is a run of one class, so a word begins where the class
changes, with three exceptions that each look at most three bytes around:

1. The last white space of a run that something follows is a word of its own (`\s+(?!\S)` gives it
   back), and if it is a plain space it belongs to what follows (` ?`).
2. A contraction is matched where a match begins with an apostrophe: after a letter, a number or
   white space, not after another sign, and not after a plain space, which would have taken it.
3. What follows a contraction begins a word; what it consists of does not.

Source: Radford et al., "Language models are unsupervised multitask learners", 2019, encoder.py.
"""

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.unicode_classes import OTHER, SPACE
from keras_roberta.tokenizers.in_graph.vectors import following, previous


def word_starts(utf8, classes, barriers):
    """Finds the bytes at which a word begins.

    Args:
        utf8: int32 [n], the bytes of well-formed UTF-8.
        classes: int32 [n], of the character that each byte belongs to; SPACE at barriers.
        barriers: bool [n], places that no word crosses, each a word by itself: the end of a text
            or a special token. Their byte is 0.

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


def is_any_of(utf8, letters):
    """Whether each byte is one of some ASCII letters."""
    return tf.reduce_any([utf8 == ord(letter) for letter in letters], axis=0)


def spread(values, width):
    """Gives every byte of a character the value at its leading byte: int32 [n]."""
    for distance in (1, 2, 3):  # a leading byte `distance` before reaches here if it is that wide
        values = tf.where(previous(width, distance) > distance, previous(values, distance), values)
    return values
