import json

import numpy as np

from keras_roberta.recipes.compare import majority_class, measure, tf_idf, write_json
from keras_roberta.recipes.picture import draw
from keras_roberta.recipes.predictor import Predictor


def always(label):
    def logits(texts):
        return np.eye(2)[[label] * len(texts)]

    return Predictor(logits, logits, ("bad", "good"), 2, 3_000_000)


def test_measure():
    row, predicted = measure("always good", always(1), ["a", "b"], [1, 0], reference=[1, 1])
    assert (row.accuracy, row.agreement, row.megabytes) == (0.5, 1.0, 3.0)
    assert row.milliseconds > 0 and predicted.tolist() == [1, 1]


def test_pairs_are_measured_pair_by_pair():
    seen = []
    predictor = Predictor(
        lambda pairs: np.eye(2)[[0] * len(pairs[0])], seen.append, ("bad", "good"), 2, 0
    )
    measure("pairs", predictor, (["a", "b"], ["c", "d"]), [0, 0])
    assert seen[:2] == [(["a"], ["c"]), (["b"], ["d"])]


def test_baselines(sentiment):
    texts, targets = sentiment
    assert majority_class([0, 1, 1], [1, 0, 1, 0]).accuracy == 0.5
    assert tf_idf(texts, targets, texts, targets).accuracy == 1.0


def test_json_and_picture(tmp_path):
    rows = [majority_class([0, 1, 1], [1, 0]), measure("b", always(0), ["a"], [0], [0])[0]]
    write_json(tmp_path / "report.json", rows, rows=1)
    assert json.loads((tmp_path / "report.json").read_text())["models"][1]["name"] == "b"
    for curve in (None, [(20, 9.0), (40, 7.0)]):
        draw(tmp_path / "report.png", rows, curve, "title")
        assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
