"""Where long texts are cut into parts, as vector operations: see `unigram.long_texts`."""

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.vectors import look_up, previous
from keras_roberta.tokenizers.unigram.long_texts import BLOCK
from keras_roberta.tokenizers.unigram.tables import SPACE

_NOWHERE = 2**31 - 1


def cut_long_texts(
    code_points: tf.Tensor, texts: tf.Tensor, block: int = BLOCK
) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds where parts begin.

    Args:
        code_points: int32 [n], characters.
        texts: int32 [n], the number of each one's text; 0 at barriers, of which the first is one.
        block: bytes of a block.

    Returns:
        texts: int32 [n], with a barrier in place of each space at which a part begins. A space at
            the front of a text does not count, so that it need not stay.
        breaks: bool [n], the characters at which a part begins without a space.
    """
    inside, place = texts > 0, tf.range(tf.size(texts))
    widths = 1 + sum(tf.cast(code_points >= least, tf.int32) for least in (0x80, 0x800, 0x10000))
    widths = tf.where(inside, widths, 0)  # bytes in UTF-8
    up_to = tf.cumsum(widths, exclusive=True)
    stretch = tf.cumsum(tf.cast(~inside, tf.int32)) - 1  # from one barrier to the next
    num_stretches = tf.reduce_max(stretch) + 1
    begins = tf.math.unsorted_segment_min(up_to, stretch, num_stretches)
    sizes = tf.math.unsorted_segment_sum(widths, stretch, num_stretches)
    number = (up_to - look_up(begins, stretch)) // block
    new = inside & ((number != previous(number)) | ~previous(inside, fill=False))
    blocks = tf.cumsum(tf.cast(new, tf.int32)) - 1  # (n,), from -1; each is of one text
    blocks = tf.where(inside, blocks, -1)
    num_blocks = tf.reduce_max(blocks) + 1

    def firsts(chosen):  # (n,), whether each is the first of those chosen in its block
        least = tf.math.unsorted_segment_min(tf.where(chosen, place, _NOWHERE), blocks, num_blocks)
        return chosen & (look_up(least, tf.maximum(blocks, 0)) == place)

    space = inside & (code_points == SPACE)
    has_space = tf.math.unsorted_segment_max(tf.cast(space, tf.int32), blocks, num_blocks)
    has_space = look_up(has_space, tf.maximum(blocks, 0)) > 0
    full = look_up(sizes, stretch) >= (number + 1) * block
    later = inside & (number > 0)
    at_spaces = later & firsts(space)
    return tf.where(at_spaces, 0, texts), later & ~has_space & full & firsts(inside)
