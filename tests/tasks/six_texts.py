"""Six texts with what belongs to them, for tests of the forms of data."""

import tensorflow as tf

TEXTS = ["a fine film", "a dull film", "warm and lovely", "cold", "", "simply tedious"]
SECONDS = ["dull", "fine", "cold and flat", "a film", "warm", "lovely"]
NUMBERS = [1, 0, 1, 0, 1, 0]
NAMES = ["good" if number else "bad" for number in NUMBERS]
WEIGHTS = [1.0, 2.0, 1.0, 0.5, 1.0, 3.0]
PAIRS = list(zip(TEXTS, SECONDS, strict=True))
ROWS = [{"text": t, "label": n} for t, n in zip(TEXTS, NAMES, strict=True)]
dataset = tf.data.Dataset.from_tensor_slices
