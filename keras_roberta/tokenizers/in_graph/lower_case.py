"""Small letters for capitals, as the `tokenizers` library's `Lowercase` has them."""

import numpy as np
import tensorflow as tf
from tokenizers import normalizers

from keras_roberta.tokenizers.in_graph.character_reader import Characters
from keras_roberta.tokenizers.in_graph.unicode_classes import CodePointTable
from keras_roberta.tokenizers.in_graph.vectors import look_up, previous, repeat_index

_CAPITALS_BELOW = 0x20000  # no script behind it has capitals
# The only letter of which two characters are made: I with a dot becomes i and a dot above.
_CAPITAL, _SECOND = 0x130, 0x307


class LowerCase(tf.Module):
    """Puts small letters in the place of capitals, each by itself."""

    def __init__(self, name: str = "lower_case"):
        super().__init__(name=name)
        self.steps = CodePointTable(_steps())

    def __call__(self, read: Characters, size: int | None) -> Characters:
        """Characters with small letters.

        Args:
            read: with fewer characters than bytes where a letter of two bytes becomes two.
            size: their number if it is static, else None.
        """
        code_points = read.code_points + self.steps(tf.maximum(read.code_points, 0))
        twice = (read.code_points == _CAPITAL) & (read.texts > 0)
        index = repeat_index(1 + tf.cast(twice, tf.int32), size)
        is_second = look_up(twice, index) & (index == previous(index, fill=-1))
        columns = (look_up(x, index) for x in (code_points, read.texts, read.begins, read.ends))
        code_points, *rest = columns
        return Characters(tf.where(is_second, _SECOND, code_points), *rest)


def _steps() -> np.ndarray:
    """From each code point to that of its small letter: int32 (0x110000,)."""
    letters = [c for c in range(_CAPITALS_BELOW) if not 0xD800 <= c < 0xE000 and c != _CAPITAL]
    small = normalizers.Lowercase().normalize_str("".join(map(chr, letters)))
    steps = np.zeros(0x110000, np.int32)
    steps[letters] = np.frombuffer(small.encode("utf-32-le"), np.int32) - letters
    steps[_CAPITAL] = ord("i") - _CAPITAL
    return steps
