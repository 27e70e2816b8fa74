"""Answers of a model as labels for another one to learn."""

import numpy as np
import pytest

from keras_roberta.errors import InputError
from keras_roberta.schemas import SCHEMAS
from keras_roberta.schemas.answer_labels import Reference
from keras_roberta.schemas.labelled_words import Annotation
from keras_roberta.schemas.tag_schemes import Span


@pytest.mark.parametrize(
    ("schema", "answers", "expected"),
    [
        (
            SCHEMAS["one-label"](2, ("bad", "good")),
            [{"label": "good", "score": 0.9}, {"label": "bad", "score": 0.6}],
            np.array([1, 0]),
        ),
        (
            SCHEMAS["many-labels"](3, ("a", "b", "c")),
            [{"labels": ["c", "a"], "scores": [0.9, 0.8]}, {"labels": [], "scores": []}],
            np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]),
        ),
        (SCHEMAS["value"](), [{"score": 0.25}, {"score": -3.0}], np.array([0.25, -3.0])),
        (
            SCHEMAS["text-vectors"](score_range=(1.0, 5.0)),
            [{"score": 0.5}, {"score": 1.0}],
            np.array([3.0, 5.0]),
        ),
        (
            SCHEMAS["multiple-choice"](),
            [{"label": 2, "score": 0.9, "scores": [0.05, 0.05, 0.9]}],
            np.array([2]),
        ),
        (
            SCHEMAS["entities"](3, ("O", "B-PER", "I-PER")),
            [{"entities": [{"start": 4, "end": 7, "label": "PER", "text": "Sam", "score": 0.9}]}],
            [Annotation(None, (Span(4, 7, "PER"),))],
        ),
        (
            SCHEMAS["answer-span"](),
            [
                {"text": "Nuuk", "start": 3, "end": 7, "score": 0.9},
                {"text": "", "start": 0, "end": 0, "score": 0.5},
            ],
            [(Reference(3, 7),), ()],
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_answers_as_labels(schema, answers, expected):
    found = schema.targets(schema.labels_of(answers))
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected)
    else:
        assert list(found) == expected


def test_vectors_are_no_labels():
    with pytest.raises(InputError, match="holds single texts; give pairs"):
        SCHEMAS["text-vectors"]().labels_of([{"vector": [1.0, 0.0]}])
