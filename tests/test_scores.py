import numpy as np
import pytest

from keras_roberta.scores import scores


def test_scores_of_a_classifier():
    logits = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0], [0.0, 1.0]])
    # Class 0: precision 1/2, recall 1; class 1: precision 1, recall 2/3.
    expected = {"accuracy": 0.75, "macro_f1": (2 / 3 + 0.8) / 2}
    assert scores(logits, [0, 1, 1, 1]) == pytest.approx(expected)


def test_scores_of_a_regression():
    found = scores(np.array([[1.0], [2.0], [3.0]]), [2.0, 4.0, 6.0])
    assert found == pytest.approx({"mse": (1 + 4 + 9) / 3, "pearson": 1.0})
    assert scores(np.array([[1.0], [1.0]]), [0.0, 1.0])["pearson"] is None
