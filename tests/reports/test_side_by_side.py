import dataclasses

import numpy as np
import pytest

from keras_roberta.errors import InputError
from keras_roberta.reports.side_by_side import side_by_side
from keras_roberta.schemas import ManyLabels, OneLabel, Value


@dataclasses.dataclass
class Toy:
    """A model that answers with numbers it was given."""

    schema: object
    logits: np.ndarray
    num_bytes: int = 2_500_000

    def outputs(self, texts):
        return self.schema.outputs(self.logits)

    def one(self, texts):
        assert len(texts) == 1


def test_the_first_model_is_the_reference():
    labels = OneLabel(2, ("no", "yes"))
    models = {
        "exact": Toy(labels, np.array([[0.0, 9.0], [9.0, 0.0]])),
        "rounded": Toy(labels, np.array([[9.0, 0.0], [9.0, 0.0]]), 1_000_000),
    }
    first, second = side_by_side(models, ["a", "b"], np.array([1, 0]))
    assert (first.name, first.scores["accuracy"], first.agreement) == ("exact", 1.0, None)
    assert (second.scores["accuracy"], second.agreement) == (0.5, 0.5)
    assert second.largest_change > 0.99
    assert (first.megabytes, second.megabytes) == (2.5, 1.0)
    assert 0 <= first.median_ms <= first.p95_ms


def test_any_number_of_labels():
    logits = np.array([[9.0, -9.0], [9.0, 9.0]])
    models = {"a": Toy(ManyLabels(2), logits), "b": Toy(ManyLabels(2), -logits)}
    first, second = side_by_side(models, ["x", "y"], np.array([[1, 0], [1, 0]]))
    assert first.scores["micro_f1"] == pytest.approx(0.8)  # two found, one too many
    assert second.scores["micro_f1"] == 0.0
    assert second.largest_change > 0.99


def test_without_targets_models_are_compared_alone():
    models = {"a": Toy(Value(), np.array([[1.0]])), "b": Toy(Value(), np.array([[3.0]]))}
    first, second = side_by_side(models, ["x"], None)
    assert first.scores == second.scores == {}
    assert (second.agreement, second.largest_change) == (None, 2.0)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (Value(), "b: gives answers of the kind 'value', and a of the kind 'one-label'"),
        (OneLabel(2, ("yes", "no")), "b: has the labels yes, no, and a has no, yes"),
    ],
)
def test_models_of_other_tasks_are_refused(schema, message):
    models = {"a": Toy(OneLabel(2, ("no", "yes")), np.eye(2)), "b": Toy(schema, np.eye(2))}
    with pytest.raises(InputError, match=message):
        side_by_side(models, ["x", "y"], None)
