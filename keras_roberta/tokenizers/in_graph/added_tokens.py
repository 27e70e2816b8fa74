"""Finds added tokens that are spelt out in a text: `<mask>` is one token, not six bytes.

As the `tokenizers` library does it, in two passes: tokens that are not `normalized` are looked for
in the whole text, the others in what lies between them. In a pass, of the tokens that begin first
the longest is taken, and the search goes on behind it. What was found and is a `single_word` is
then dropped where a character of a word touches it; and `lstrip` and `rstrip` take the white space
beside a token along.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.added_tokens import AddedToken
from keras_roberta.tokenizers.in_graph.utf8 import REPLACEMENT
from keras_roberta.tokenizers.in_graph.vectors import covered, following, look_up, previous
from keras_roberta.tokenizers.offsets import WHITE_SPACE

_NO_BYTE = -2  # equal to no byte of a token, and to no filler behind one


class Found(NamedTuple):
    """Where added tokens are, for each byte of a vector.

    Attributes:
        number: int32 [n], at the first byte of each token found, 1 + its index; elsewhere 0.
        inside: bool [n], its other bytes.
        stripped: bool [n], white space that belongs to a token beside it.
    """

    number: tf.Tensor
    inside: tf.Tensor
    stripped: tf.Tensor


class AddedTokens(tf.Module):
    """Finds added tokens in a vector of bytes.

    Args:
        tokens: which.
        name: name of the module.

    Attributes:
        tokens: the tokens in the order of their numbers, which count from 1.
        token_ids: int32 [1 + tokens], their ids; 0 in front.
        lengths: int32 [1 + tokens], in bytes; 0 in front.
        reads_words: whether one of them is a `single_word`.

    Raises:
        InputError: a graph cannot look for one of the tokens.
    """

    def __init__(self, tokens: Sequence[AddedToken], name: str = "added_tokens"):
        super().__init__(name=name)
        _check(tokens)
        # The longest last: of those that begin at a byte it has the highest number.
        tokens = sorted(tokens, key=lambda token: len(token.content.encode()))
        self.tokens = tuple(tokens)
        self.reads_words = any(token.single_word for token in tokens)
        self.passes = [
            _Pass(tokens, normalized)
            for normalized in (False, True)
            if any(token.normalized == normalized for token in tokens)
        ]
        lengths = [len(token.content.encode()) for token in tokens]
        with tf.init_scope(), tf.device("CPU"):
            self.lengths = tf.constant([0, *lengths], tf.int32)
            self.token_ids = tf.constant([0, *(token.id for token in tokens)], tf.int32)

    def any_in(self, utf8: tf.Tensor, free: tf.Tensor, size: int | None = None) -> tf.Tensor:
        """Whether a token is spelt out anywhere: bool. In static vectors the first byte of one is
        enough for True. The arguments are those of `find`."""
        if size is None:
            found = [tf.reduce_any(each.spelt(utf8, free, size) > 0) for each in self.passes]
        else:  # to compare at all places would take nearly as long as to find them
            found = [tf.reduce_any(each.begins(utf8, free)) for each in self.passes]
        return tf.reduce_any(tf.stack([False, *found]))

    def find(
        self,
        utf8: tf.Tensor,
        free: tf.Tensor,
        space: tf.Tensor,
        word: tf.Tensor | None,
        size: int | None = None,
    ) -> Found:
        """Finds the tokens.

        Args:
            utf8: int32 [n], bytes.
            free: bool [n], whether a byte belongs to a text.
            space: bool [n], whether it belongs to a white space character.
            word: bool [n], whether to one that may be part of a word; None unless `reads_words`.
            size: n if it is static, else None.
        """
        number = tf.zeros_like(utf8)
        inside = stripped = tf.zeros_like(free)
        for each in self.passes:
            found = each.find(utf8, free, space, word, size)
            number += found.number
            inside |= found.inside
            stripped |= found.stripped
            free &= ~(found.inside | found.stripped | (found.number > 0))
        return Found(number, inside, stripped)


class _Pass(tf.Module):
    """Finds those of the tokens that are `normalized`, or those that are not."""

    def __init__(self, tokens: Sequence[AddedToken], normalized: bool):
        super().__init__(name="normalized" if normalized else "as_written")
        chosen = [(i, t) for i, t in enumerate(tokens, 1) if t.normalized == normalized]
        contents = [token.content.encode() for _, token in chosen]
        self.longest = max(map(len, contents))
        self.can_overlap = can_overlap(contents)
        patterns = [[*content] + [-1] * (self.longest - len(content)) for content in contents]
        lengths, flags = np.zeros(1 + len(tokens), np.int32), {}
        for (i, _), content in zip(chosen, contents, strict=True):
            lengths[i] = len(content)
        for flag in ("lstrip", "rstrip", "single_word"):
            flags[flag] = np.zeros(1 + len(tokens), bool)
            flags[flag][[i for i, token in chosen if getattr(token, flag)]] = True
        first = np.zeros(256, bool)
        first[[content[0] for content in contents]] = True
        with tf.init_scope(), tf.device("CPU"):
            self.patterns = tf.constant(patterns, tf.int32)  # (chosen, longest), -1 behind the end
            self.numbers = tf.constant([i for i, _ in chosen], tf.int32)
            self.lengths = tf.constant(lengths)  # (1 + tokens,)
            self.may_begin = tf.constant(first)  # (256,)
            # (1 + tokens,) each; None where no token has the flag
            self.flags = {k: tf.constant(v) if v.any() else None for k, v in flags.items()}

    def begins(self, utf8, free):
        """Whether a token begins with each byte: bool [n]."""
        return look_up(self.may_begin, utf8) & free

    def spelt(self, utf8, free, size):
        """The longest token that is spelt out from each byte on: int32 [n], 1 + index, or 0."""
        if size is None:  # compares only at the few places where one may begin
            place = tf.cast(tf.where(self.begins(utf8, free))[:, 0], tf.int32)
        else:
            place = tf.range(size)
        ends = tf.fill([self.longest], _NO_BYTE)
        readable = tf.concat([tf.where(free, utf8, _NO_BYTE), ends], 0)
        window = tf.gather(readable, place[:, None] + tf.range(self.longest))
        fits = (window[:, None, :] == self.patterns) | (self.patterns < 0)
        fits = tf.reduce_all(fits, -1)  # (places, chosen)
        found = tf.reduce_max(tf.where(fits, self.numbers, 0), -1)  # (places,)
        return found if size is not None else tf.scatter_nd(place[:, None], found, tf.shape(utf8))

    def find(self, utf8, free, space, word, size):
        number = self.spelt(utf8, free, size)  # (n,)
        if self.can_overlap:
            number = tf.where(
                from_left(look_up(self.lengths, number), self.longest, size), number, 0
            )
        if self.flags["single_word"] is not None:
            word = word & free
            behind = tf.range(tf.size(utf8)) + look_up(self.lengths, number)
            touched = previous(word, fill=False) | look_up(tf.concat([word, [False]], 0), behind)
            number = tf.where(touched & look_up(self.flags["single_word"], number), 0, number)
        inside = covered(look_up(self.lengths, number), self.longest)
        apart = space & free & ~inside & (number == 0)
        stripped = tf.zeros_like(free)
        if self.flags["rstrip"] is not None:
            strips = look_up(self.flags["rstrip"], number)
            strips |= covered(tf.where(strips, look_up(self.lengths, number), 0), self.longest)
            stripped = runs_with(apart, previous(strips, fill=False), size)
        if self.flags["lstrip"] is not None:
            strips = look_up(self.flags["lstrip"], number)
            stripped |= runs_with(apart & ~stripped, following(strips, fill=False), size)
        return Found(number, inside, stripped)


def from_left(widths: tf.Tensor, longest: int, size: int | None) -> tf.Tensor:
    """Of stretches that may overlap, those that are taken from left to right, each from behind the
    one before.

    Args:
        widths: int32 [n], the length of the stretch that begins at each entry, or 0.
        longest: int, the largest length.
        size: n if it is static, else None.

    Returns:
        bool [n], whether the stretch at each entry is taken
    """
    n = tf.size(widths) if size is None else size
    # Who reads from the left steps from each entry over its stretch. What no stretch covers is
    # stepped on in any case; from there the steps are followed, twice as many in each round.
    steps = tf.concat([tf.minimum(tf.range(n) + tf.maximum(widths, 1), n), [n]], 0)  # (n + 1,)
    reached = tf.concat([~covered(widths, longest), [True]], 0)  # (n + 1,)

    def follow(reached, steps, grows):
        ones = tf.cast(reached, tf.int32)
        further = reached | (tf.scatter_nd(tf.expand_dims(steps, 1), ones, [n + 1]) > 0)
        return further, look_up(steps, steps), tf.reduce_any(further != reached)

    reached, _, _ = tf.while_loop(
        lambda reached, steps, grows: grows,
        follow,
        [reached, steps, tf.constant(True)],
        shape_invariants=[reached.shape, steps.shape, tf.TensorShape([])],
    )
    return (widths > 0) & tf.slice(reached, [0], [n])


def runs_with(members: tf.Tensor, marks: tf.Tensor, size: int | None) -> tf.Tensor:
    """The members whose run, of members side by side, has a mark: bool [n].

    Args:
        members, marks: bool [n].
        size: n if it is static, else None.
    """
    runs = tf.cumsum(tf.cast(members != previous(members, fill=False), tf.int32))  # (n,)
    count = (tf.size(runs) if size is None else size) + 1
    chosen = tf.math.unsorted_segment_max(tf.cast(members & marks, tf.int32), runs, count)
    return members & (look_up(chosen, runs) > 0)


def can_overlap(contents: Sequence[bytes]) -> bool:
    """Whether one of the tokens can begin inside another one, or inside itself, in a text."""
    whole = set(contents)
    beginnings = {content[:n] for content in contents for n in range(1, len(content) + 1)}
    rests = {content[n:] for content in contents for n in range(1, len(content))}
    return any(
        rest in beginnings or any(rest[:n] in whole for n in range(1, len(rest))) for rest in rests
    )


def _check(tokens: Sequence[AddedToken]) -> None:
    any_rstrip = any(token.rstrip for token in tokens)
    for token in tokens:
        if any_rstrip and token.content.startswith(tuple(WHITE_SPACE)):
            raise InputError(
                f"the added token {token.content!r} begins with white space, which another one "
                "takes along (rstrip): a graph cannot look for both"
            )
        if bytes(REPLACEMENT) in token.content.encode():
            raise InputError(
                f"the added token {token.content!r} holds U+FFFD, for which a graph cannot look"
            )
