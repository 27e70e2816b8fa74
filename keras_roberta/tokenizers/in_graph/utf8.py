"""Decodes UTF-8 with vector operations, and finds the bytes that become U+FFFD.

The rule is that of Unicode (section 3.9, "U+FFFD substitution of maximal subparts"), of the WHATWG,
of Python's `bytes.decode(errors="replace")` and of Rust's `from_utf8_lossy`. The longest possible
beginning of a well-formed sequence is replaced by one U+FFFD, and so is every other byte that does
not fit. A sequence is one leading byte followed by continuation bytes, and no byte can be both. So
at each byte, the next three bytes are enough to decide.
"""

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.vectors import covered, following

REPLACEMENT = tuple("\ufffd".encode())  # EF BF BD


def characters(utf8: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Finds the characters in a vector of bytes, which need not be well-formed.

    Args:
        utf8: int32 [n], bytes.

    Returns:
        code_points: int32 [n], at leading bytes, the character; U+FFFD if it is malformed.
        bad: bool [n], whether a malformed subpart begins at a byte.
        width: int32 [n], at leading bytes, the number of bytes of the character or subpart.
    """
    b0, b1, b2, b3 = utf8, following(utf8), following(utf8, 2), following(utf8, 3)  # (n,)
    # The length that the leading byte announces; C0, C1 and F5 to FF cannot begin a sequence.
    two, three, four = ((b0 >= low) & (b0 <= high) for low, high in
                        ((0xC2, 0xDF), (0xE0, 0xEF), (0xF0, 0xF4)))  # fmt: skip
    # No overlong form after E0 and F0, no surrogate after ED, nothing above U+10FFFF after F4.
    lowest = tf.where(b0 == 0xE0, 0xA0, tf.where(b0 == 0xF0, 0x90, 0x80))
    highest = tf.where(b0 == 0xED, 0x9F, tf.where(b0 == 0xF4, 0x8F, 0xBF))
    fits1 = (two | three | four) & (b1 >= lowest) & (b1 <= highest)
    fits2 = fits1 & (three | four) & (b2 >= 0x80) & (b2 <= 0xBF)
    fits3 = fits2 & four & (b3 >= 0x80) & (b3 <= 0xBF)
    width = 1 + sum(tf.cast(fits, tf.int32) for fits in (fits1, fits2, fits3))  # (n,)

    inside = covered(width, 4)
    whole = (b0 < 0x80) | (two & fits1) | (three & fits2) | fits3
    code_points = tf.where(
        ~whole, 0xFFFD,
        tf.where(b0 < 0x80, b0,
        tf.where(two, b0 * 64 + b1 - 0x3080,
        tf.where(three, (b0 * 64 + b1) * 64 + b2 - 0xE2080,
                 ((b0 * 64 + b1) * 64 + b2) * 64 + b3 - 0x3C82080))))  # fmt: skip
    return code_points, ~inside & ~whole, width
