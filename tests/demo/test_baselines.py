import numpy as np

from keras_roberta.demo.baselines import majority_class, tf_idf
from keras_roberta.schemas import OneLabel


def test_majority_class_is_that_of_training():
    row = majority_class(OneLabel(2), [0, 1, 1], np.array([1, 0, 0, 0]))
    assert row.scores["accuracy"] == 0.25


def test_tf_idf_learns(sentiment):
    texts, targets = sentiment
    row = tf_idf(OneLabel(2), texts, targets, texts, targets)
    assert row.scores["accuracy"] == row.scores["macro_f1"] == 1.0
    assert row.megabytes > 0 and row.median_ms > 0
