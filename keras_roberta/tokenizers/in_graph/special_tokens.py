"""Finds special tokens that are spelt out in a text: `<mask>` is one token, not six bytes."""

from collections.abc import Collection, Mapping

import numpy as np
import tensorflow as tf

from keras_roberta.errors import InputError


class SpecialTokens(tf.Module):
    """Finds special tokens in a vector of bytes.

    Args:
        token_ids: {special token: id}.
        strip_left: the tokens that include the white space before them, as RoBERTa's `<mask>`.
        name: name of the module.

    Attributes:
        longest: int, length of the longest special token in bytes.
        lengths: int32 [1 + tokens], lengths in bytes; 0 in front.
        token_ids: int32 [1 + tokens], their ids; 0 in front.
        strips_left: bool [1 + tokens], whether each is in `strip_left`; False in front.

    Raises:
        InputError: two of the tokens can overlap in a text, because one ends as another begins or
            contains another.
    """

    def __init__(
        self,
        token_ids: Mapping[str, int],
        strip_left: Collection[str] = ("<mask>",),
        name: str = "special_tokens",
    ):
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

    def find(self, utf8: tf.Tensor, size: int | None = None) -> tf.Tensor:
        """The special token that begins at each byte.

        Args:
            utf8: int32 [n], bytes.
            size: n if it is static, else None.

        Returns:
            int32 [n]: 1 + index of the token, or 0
        """
        if not self.longest:
            return tf.zeros_like(utf8)
        if size is None:  # compares only at the few places where one may begin
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


def check_distinct(tokens: Collection[str]) -> None:
    """Raises an InputError if two of the tokens can overlap in a text."""
    for a in tokens:
        for b in tokens:
            overlap = any(a[-n:] == b[:n] for n in range(1, min(len(a), len(b)) + (a != b)))
            if not a or overlap or (a != b and a in b):
                raise InputError(f"special tokens {a!r} and {b!r} can overlap in a text")
