"""A classifier of the six texts, and what of them reaches Keras."""

import contract
import keras
import numpy as np
import pytest
from task_cases import CONFIG

import keras_roberta as kr


@pytest.fixture(autouse=True, scope="module")
def tasks_are_let_go():
    """Their graphs do not outlive the gradients that `graphs_are_let_go` removes."""
    yield
    contract.let_go()


@pytest.fixture(scope="module")
def classifier(tokenizer):
    keras.utils.set_random_seed(3)
    preprocessor = kr.RobertaPreprocessor(tokenizer, 24, labels=["bad", "good"])
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(CONFIG), preprocessor=preprocessor)
    return task


@pytest.fixture
def seen(monkeypatch):
    """What reaches Keras: rows of (token ids without padding, label, weight). It runs no model,
    which would be the same for all forms."""
    rows = []

    def record(self, x, y=None, *args, validation_data=None, steps_per_epoch=None, **kwargs):
        rows.clear()
        for features, *rest in x.take(steps_per_epoch or -1).as_numpy_iterator():
            ids = zip(features["token_ids"], features["padding_mask"], strict=True)
            ids = [tuple(row[mask == 1].tolist()) for row, mask in ids]
            rows.extend(zip(ids, *(np.asarray(array).tolist() for array in rest), strict=True))

    def answer(self, x, *args, **kwargs):
        """One number for each row, which tells it from the others."""
        batches = list(x.as_numpy_iterator())
        return np.concatenate([[hash(tuple(ids[ids != 1])) for ids in b["token_ids"]]
                               for b in batches])  # fmt: skip

    monkeypatch.setattr(keras.Model, "fit", record)
    monkeypatch.setattr(keras.Model, "evaluate", record)
    monkeypatch.setattr(keras.Model, "predict", answer)
    return rows
