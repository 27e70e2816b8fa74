"""Questions with options: a file answers for one option at a time, and here is what joins them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_roberta.data.examples.choices import read_choices
from keras_roberta.errors import InputError
from keras_roberta.export.mismatch import ExportMismatch
from keras_roberta.schemas import Schema


def predict_options(run: Callable, schema: Schema, x: Any) -> dict[str, np.ndarray]:
    """The outputs of questions.

    Args:
        run: gives the named outputs of rows, one an option, of a `Choices` or of features.
        schema: one that `takes_options`.
        x: questions in any form of `read_choices`; or features, int (questions, options, length),
            in which an option without a token is not there.
    """
    if not (isinstance(x, dict) and "token_ids" in x):
        choices = read_choices(x)
        return schema.with_texts(schema.join_options(run(choices), choices.counts), x)
    token_ids, mask = (np.asarray(x[name]) for name in ("token_ids", "padding_mask"))
    if token_ids.ndim != 3 or mask.shape != token_ids.shape:
        raise InputError(
            "token_ids and padding_mask: expected two arrays of one shape (questions, options, "
            f"length); got {token_ids.shape} and {mask.shape}"
        )
    there = mask.any(axis=2)  # (questions, options)
    for row in np.flatnonzero(~there.any(axis=1)):
        raise InputError(f"padding_mask: question {row} has no option")
    rows = run({"token_ids": token_ids[there], "padding_mask": mask[there]})
    return schema.join_options(rows, there.sum(axis=1))


def one_a_question(named_outputs: Callable) -> Callable:
    """What a task gives for rows of ids, (rows, length), each taken for a question of one option:
    a function of features giving `logits`, (rows, 1)."""

    def run(features):
        outputs = named_outputs({name: array[:, None] for name, array in features.items()})
        return {"logits": outputs["logits"]}

    return run


def in_twos(schema: Schema, outputs: dict[str, Any]) -> dict[str, np.ndarray]:
    """The outputs of rows, each two of them (at an odd end three) taken for the options of a
    question: a single one would have the probability 1 whatever its score."""
    return schema.join_options(outputs, _twos(len(outputs["logits"])))


def names_in_twos(names: list[str]) -> list[str]:
    """The names of rows as those of the questions that `in_twos` makes of them."""
    ends = np.cumsum(_twos(len(names)))
    return [" / ".join(two) for two in np.split(np.array(names, object), ends[:-1])]


def _twos(count):
    twos = np.full(max(count // 2, 1), 2)
    twos[-1] += count - twos.sum()
    return twos


def check_options(runner: Any) -> None:
    """Raises ExportMismatch unless a SavedModel answers for questions as for their options."""
    options = [["in water", "in trees", ""], ["yes", "", ""], ["a", "no , never", "b c"]]
    questions = ["Where do fish live?", "Is it?", "or"]
    found = runner.run("serving_default", question=questions, choices=options)
    there = np.array(options) != ""
    firsts = np.repeat(questions, there.sum(axis=1)).tolist()
    rows = runner.run_texts(firsts, np.array(options)[there].tolist())
    expected = runner.schema.join_options(rows, there.sum(axis=1))
    for name, values in expected.items():
        if not np.allclose(found[name], values, rtol=1e-4, atol=1e-4):
            raise ExportMismatch(f"serving_default: gives another {name} than for single options")
