"""Files about what was measured of a model."""

import json

import numpy as np

from keras_roberta.reports.evaluation import Evaluation, write_evaluation
from keras_roberta.schemas import OneLabel, Value


def evaluation(schema, logits, targets):
    outputs, targets = schema.outputs(np.array(logits)), np.array(targets)
    return Evaluation(
        len(targets), schema.scores(outputs, targets), schema.details(outputs, targets)
    )


def test_pictures_of_what_there_is(tmp_path):
    schema = OneLabel(3, ("good", "bad", "so so"))
    logits = [[2.0, 0, 0], [0, 1.0, 0], [0, 0, 3.0], [1.0, 0, 0]]
    measured = evaluation(schema, logits, [0, 1, 2, 2])
    before = evaluation(schema, logits, [0, 0, 2, 2]).details.reliability
    write_evaluation(tmp_path, measured, "a title", before=before)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"evaluation.json", "confusion.png", "classes.png", "reliability.png"}
    for name in names - {"evaluation.json"}:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    values = json.loads((tmp_path / "evaluation.json").read_text())
    assert values["accuracy"] == 0.75
    assert sum(values["reliability"]["counts"]) == 4
    # By hand: three right with their softmax, the last one wrong.
    powers = np.exp(logits)
    scores = (powers / powers.sum(axis=1, keepdims=True)).max(axis=1)
    bins = np.ceil(scores * 15)
    right = np.array([1, 1, 1, 0])
    expected = sum(abs(right[bins == b].sum() - scores[bins == b].sum()) for b in set(bins)) / 4
    np.testing.assert_allclose(values["calibration_error"], expected, rtol=1e-6)

    # A model of another kind in the same place leaves none of these pictures.
    write_evaluation(tmp_path, evaluation(Value(), [[0.5], [1.0]], [0.4, 1.2]), "numbers")
    assert {path.name for path in tmp_path.iterdir()} == {"evaluation.json"}
