"""Question answering against Transformers' model, in windows, and on its forms of bad input."""

import json
import pathlib

import numpy as np
import pytest
from task_cases import CONFIG

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.export.runner import Runner
from keras_roberta.schemas import AnswerSpan
from keras_roberta.tokenizers import open_tokenizer

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
LONG = "a fine film , warm and lovely , simply lovely , cold and dull , tedious"


def test_logits_and_losses_of_transformers():
    """Of a tiny `RobertaForQuestionAnswering`; see benchmarks/make_golden_questions.py."""
    features = json.loads((GOLDEN / "questions/features.json").read_text(encoding="utf-8"))
    expected = np.load(GOLDEN / "questions/outputs.npz")
    tokenizer = open_tokenizer(GOLDEN / "tiny-tokenizer")
    preprocessor = kr.RobertaPreprocessor(tokenizer, features["calls"][0]["call"]["max_length"])
    task = kr.RobertaQuestionAnswerer.from_preset(
        GOLDEN / "questions", preprocessor=preprocessor, stride=8
    )
    questions = features["questions"]
    asked = [(question, features["contexts"][number]) for number, question, _ in questions]
    asked = [(question or "?", context) for question, context in asked]
    rows = features["calls"][0]["rows"]
    ids = [row["token_ids"] for row in rows]
    lengths = list(map(len, ids))
    padded = np.array([row + [1] * (max(lengths) - len(row)) for row in ids])
    batch = {"token_ids": padded, "padding_mask": (np.arange(max(lengths)) < np.c_[lengths]) * 1}
    logits = task.predict_on_batch(batch)
    kept = np.concatenate([row[:length] for row, length in zip(logits, lengths, strict=True)])
    np.testing.assert_allclose(kept, expected["logits"], atol=1e-4)
    losses = task.default_loss().call(np.array([row["labels"] for row in rows]), logits)
    np.testing.assert_allclose(losses, expected["losses"], atol=1e-4)
    assert len(task.answers(asked)) == len(asked)


@pytest.fixture(scope="module")
def task(tokenizer):
    preprocessor = kr.RobertaPreprocessor(tokenizer, 16)
    return kr.RobertaQuestionAnswerer(kr.RobertaBackbone(CONFIG), preprocessor, stride=3)


def test_a_long_context_is_read_in_windows(task):
    (logits,) = task.predict([("film", LONG)], verbose=0)
    windows = task.make_examples([("film", LONG)]).windows
    assert logits.shape == (len(windows), 16, 2) and len(windows) > 1
    for row, found in enumerate(logits):
        ids = windows.token_ids.row(row)[None]
        expected = task.predict_on_batch({"token_ids": ids, "padding_mask": np.ones_like(ids)})[0]
        np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-5)
        assert (found[len(expected) :] == -1e4).all()
    (answer,) = task.answers([("film", LONG)], n_best=5)
    assert answer["text"] == LONG[answer["start"] : answer["end"]] != ""
    assert len(answer["n_best"]) == 5


def test_padding_changes_no_loss(task):
    loss, random = task.default_loss(), np.random.default_rng(0)
    logits = random.normal(size=(3, 6, 2)).astype("float32")
    padded = np.concatenate([logits, np.full((3, 4, 2), -1e4, "float32")], axis=1)
    places = np.array([[0, 0], [2, 5], [4, 4]])
    np.testing.assert_allclose(loss(places, padded), loss(places, logits), rtol=1e-6)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["film"], "expected questions and contexts"),
        ([("film", " ")], "row 0: the context is empty"),
        ([("film", "a"), ("", "a")], "row 1: the question is empty"),
        ([("film " * 99, "a film")], "row 0: the question has .* tokens"),
        ((["film"], ["a", "b"]), "text_pair: 2 of them for 1 texts"),
    ],
)
def test_what_is_no_question(task, asked, message):
    with pytest.raises(InputError, match=message):
        task.answers(asked)


class Exported(Runner):
    """An exported file that is not opened."""

    _open = run_rows = run_texts = tokenize = None

    def __init__(self):
        self.schema = AnswerSpan()


@pytest.mark.parametrize("kind", ["task", "exported"])
@pytest.mark.parametrize(
    ("n_best", "message"),
    [
        (3, "n_best: of token ids the best answer alone is told"),
        (0, "n_best must be a whole number from 1; got 0"),
    ],
)
def test_token_ids_have_one_answer(request, kind, n_best, message):
    asked = request.getfixturevalue("task") if kind == "task" else Exported()
    ids = {"token_ids": np.array([[0, 5, 2, 2, 6, 2]])}
    with pytest.raises(InputError, match=message):
        asked.answers(ids, n_best=n_best)


def test_labels_that_do_not_fit(task):
    with pytest.raises(InputError, match="row 0: the answer 'dull' at 0 is not in the context"):
        task.fit([("film", "a dull film")], [{"text": "dull", "answer_start": 0}], verbose=0)
    with pytest.raises(InputError, match="there are no labels"):
        task.fit({"question": ["film"], "context": ["a film"]}, verbose=0)
