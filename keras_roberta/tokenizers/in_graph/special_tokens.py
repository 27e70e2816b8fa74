"""Special tokens written out in a text: `<mask>` becomes one token, not six bytes."""

import numpy as np
import tensorflow as tf

from keras_roberta.errors import InputError


class SpecialTokens(tf.Module):
    """Finds special tokens among bytes.

    Args:
        token_ids: dict, special token -> id. Matches cannot overlap: raises InputError if one
            token ends as another begins, or holds another.
        strip_left: the tokens that take the white space before them along, as RoBERTa's `<mask>`.
    """

    def __init__(self, token_ids, strip_left=("<mask>",), name="special_tokens"):
        super().__init__(name=name)
        check_distinct(token_ids)
        tokens = [token.encode() for token in token_ids]
        self.longest = max(map(len, tokens), default=0)
        patterns = np.array([list(t) + [-1] * (self.longest - len(t)) for t in tokens], np.int32)
        with tf.init_scope(), tf.device("CPU"):
            self.patterns = tf.constant(patterns)  # (tokens, longest), -1 behind the end
            self.lengths = tf.constant([0, *map(len, tokens)], tf.int32)
            self.token_ids = tf.constant([0, *token_ids.values()], tf.int32)
            self.strips_left = tf.constant([False, *(t in strip_left for t in token_ids)])
        self.first_bytes = sorted({token[0] for token in tokens})

    def find(self, utf8, size=None):
        """Which special token begins at each byte: int32 [n], 1 + its index, 0 for none.

        Args:
            utf8: int32 [n]
            size: n, if it is static.
        """
        if not self.longest:
            return tf.zeros_like(utf8)
        if size is None:  # looks closer at the few places where one may begin
            candidate = tf.reduce_any([utf8 == byte for byte in self.first_bytes], axis=0)
            place = tf.cast(tf.where(candidate)[:, 0], tf.int32)  # (candidates,)
        else:
            place = tf.range(size)
        ends = tf.zeros([self.longest], tf.int32)
        window = tf.gather(tf.concat([utf8, ends], 0), place[:, None] + tf.range(self.longest))
        fits = (window[:, None, :] == self.patterns) | (self.patterns < 0)
        fits = tf.reduce_all(fits, -1)  # (candidates, tokens)
        found = tf.reduce_max(tf.where(fits, 1 + tf.range(len(self.patterns)), 0), -1)
        return found if size is not None else tf.scatter_nd(place[:, None], found, tf.shape(utf8))


def check_distinct(tokens):
    """Raises InputError if occurrences of two of the tokens can overlap."""
    for a in tokens:
        for b in tokens:
            overlap = any(a[-n:] == b[:n] for n in range(1, min(len(a), len(b)) + (a != b)))
            if not a or overlap or (a != b and a in b):
                raise InputError(f"special tokens {a!r} and {b!r} can overlap in a text")
