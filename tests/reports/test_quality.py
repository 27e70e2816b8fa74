import numpy as np
import pytest

from keras_roberta.reports.quality import quality
from keras_roberta.schemas import OneLabel, Value


def test_labels_are_judged_by_targets_and_reference():
    schema = OneLabel(2)
    found = {"label": np.array([1, 0]), "probabilities": np.array([[0.25, 0.75], [0.5, 0.5]])}
    other = {"label": np.array([1, 1]), "probabilities": np.array([[0.25, 0.75], [0.25, 0.75]])}
    judged = quality(schema, found, np.array([1, 0]), other)
    assert judged["scores"]["accuracy"] == 1.0
    assert (judged["agreement"], judged["largest_change"]) == (0.5, 0.25)


def test_values_have_no_agreement():
    found = {"value": np.array([1.0, 2.0, 4.0])}
    judged = quality(Value(), found, np.array([-1.0, -2.0, -4.0]), {"value": np.array([1, 2, 3])})
    assert judged["scores"]["pearson"] == pytest.approx(-1)
    assert judged["scores"]["mse"] == pytest.approx((4 + 16 + 64) / 3)
    assert judged["agreement"] is None
    assert judged["largest_change"] == pytest.approx(1 / 3)


def test_nothing_to_judge_by():
    assert quality(OneLabel(2), {"label": np.array([1])}) == {}
