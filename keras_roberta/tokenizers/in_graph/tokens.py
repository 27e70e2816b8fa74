"""What the middle part of a tokenizer, from bytes to ids, gives to the parts that make rows."""

from typing import NamedTuple, Protocol

import tensorflow as tf


class Tokens(NamedTuple):
    """All tokens of all texts, one after the other.

    Attributes:
        token_ids: int32 [tokens], without special tokens around the texts. With static shapes
            there are zeros behind the tokens.
        texts: int32, same shape, the number of each token's text, from 1; 0 behind the tokens.
        begins: int32, same shape, the first byte of each token in the vector of all bytes; None
            if it was not asked for.
        ends: int32, same shape, the byte behind each token. Spans leave out white space at a
            token's front and end.
        first_cut: int32, the number of the first text that had no room in vectors of static size,
            or a larger number; None where that cannot happen.
    """

    token_ids: tf.Tensor
    texts: tf.Tensor
    begins: tf.Tensor | None = None
    ends: tf.Tensor | None = None
    first_cut: tf.Tensor | None = None


class ToTokens(Protocol):
    """From bytes to tokens, as each kind does it: a `ByteLevelBPE`, a `Unigram`, a `WordLevel`."""

    def __call__(
        self,
        utf8: tf.Tensor,
        texts: tf.Tensor,
        size: int | None = None,
        with_spans: bool = False,
    ) -> Tokens:
        """Tokenizes a vector of bytes.

        Args:
            utf8: int32 [n], bytes.
            texts: int32 [n], the number of each byte's text, from 1, ascending. It is 0 at the
                barriers, of which there is one behind every text, and at padding.
            size: n if it is static, else None.
            with_spans: whether to return begins and ends as well.
        """
