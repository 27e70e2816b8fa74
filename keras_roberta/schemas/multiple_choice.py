"""Which of the options of a question is the answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from keras_roberta.data.examples.choices import (
    ANSWER,
    answer_numbers,
    choices_of_columns,
    read_choices,
)
from keras_roberta.data.examples.columns import Columns, column_names, texts_of_columns
from keras_roberta.data.examples.json_tables import MISSING
from keras_roberta.data.examples.label_names import LabelError, class_numbers
from keras_roberta.data.examples.table_files import Table
from keras_roberta.errors import InputError
from keras_roberta.options import OptionError
from keras_roberta.schemas.comparison import Comparison, changed_by
from keras_roberta.schemas.one_label import softmax
from keras_roberta.schemas.schema import Schema

# The logit of an option that is not there, where questions have different numbers of them: finite,
# since JSON has no infinity, and low enough that its share is 0.
NO_OPTION = np.float32(-1e9)


@dataclasses.dataclass(frozen=True)
class MultipleChoice(Schema):
    """One of the options of each question; how many there are may differ."""

    name: ClassVar[str] = "multiple-choice"
    main_score: ClassVar[str] = "accuracy"
    needs_pairs: ClassVar[bool] = True
    takes_options: ClassVar[bool] = True
    label_columns: ClassVar[tuple[str, ...]] = ANSWER
    training_options: ClassVar[frozenset[str]] = frozenset(
        {"label_smoothing", "r_drop", "confidence_penalty"}
    )

    @classmethod
    def from_table(cls, table, columns, *, num_classes=None):
        if num_classes is not None:
            raise OptionError("num_classes", f"{num_classes}: options are no classes; leave it out")
        return cls()

    def read_inputs(self, table: Table, columns: Columns, *, prefix: str = "--"):
        """The questions of a table: a dict of `question`, `choices` and, if there is any,
        `context`."""
        choices = self._choices(table, columns, prefix)
        inputs = {"question": choices.questions, "choices": choices.options}
        return inputs | ({"context": choices.contexts} if any(choices.contexts) else {})

    def shown_inputs(self, inputs):
        choices = read_choices(inputs)
        rows = zip(choices.contexts, choices.questions, strict=True)
        return [({"context": text} if text else {}) | {"question": asked} for text, asked in rows]

    def read_targets(self, table: Table, columns: Columns, *, prefix: str = "--"):
        choices = self._choices(table, columns, prefix)
        column = self.label_column(table, columns)
        labels = table.labels(column, f"{prefix}label-column")
        try:
            return answer_numbers(labels, choices)
        except LabelError as error:
            raise table.error(table.lines[error.row], column, error.problem) from None

    def _choices(self, table, columns, prefix):
        named = dict(table.columns)
        for name, option in ((columns.text, "text"), (columns.text_pair, "text-pair")):
            if name is None:
                continue
            option = f"{prefix}{option}-column"
            if name == columns.text and len(column_names(table, name)) > 1:
                named[name] = texts_of_columns(table, name, option)
            else:  # a field of a field, too
                named[name] = table.column(name, option)
        known = {
            name: [None if value is MISSING else value for value in values]
            for name, values in named.items()
        }
        try:
            return choices_of_columns(known, columns.text, columns.text_pair)
        except LabelError as error:
            raise InputError(f"{table.place(table.lines[error.row])}: {error.problem}") from None
        except InputError as error:
            raise InputError(
                f"{table.path}: {error}; say {prefix}text-column and {prefix}text-pair-column (the "
                "options)"
            ) from None

    def targets(self, labels):
        """Numbers of options, int32 (rows,); `answer_numbers` reads other answers."""
        return class_numbers(labels, np.iinfo(np.int32).max, None)

    def outputs(self, logits):
        """Of logits (rows, options), with `NO_OPTION` where a question has fewer."""
        logits = np.asarray(logits, "float32")
        probabilities = softmax(logits)
        return {
            "logits": logits,
            "probabilities": probabilities,
            "label": probabilities.argmax(axis=-1).astype("int32"),
            "score": probabilities.max(axis=-1),
        }

    def join_options(self, outputs: Mapping[str, Any], counts: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs of questions from those of their options.

        Args:
            outputs: with `logits`, (options of all questions, 1), one question after the other.
            counts: how many options each question has, (questions,).
        """
        there = np.arange(counts.max()) < np.asarray(counts)[:, None]  # (questions, most options)
        logits = np.full(there.shape, NO_OPTION, "float32")
        logits[there] = np.asarray(outputs["logits"]).reshape(-1)
        return self.outputs(logits)

    def texts_of(self, asked):
        """A pair for each option, those of one question after those of the other."""
        return read_choices(asked).pairs()

    def with_texts(self, outputs, asked):
        """Adds `text`, the option that is the answer, and how many there were."""
        if isinstance(asked, Mapping) and "token_ids" in asked:
            return outputs
        options = read_choices(asked).options
        texts = [of_row[n] for of_row, n in zip(options, outputs["label"], strict=True)]
        return {**outputs, "text": np.array(texts, object)}

    def answers(self, outputs):
        rows = []
        for row, label in enumerate(np.asarray(outputs["label"]).tolist()):
            there = np.asarray(outputs["logits"][row]) > NO_OPTION
            text = {"text": outputs["text"][row]} if "text" in outputs else {}
            scores = np.asarray(outputs["probabilities"][row], "float64")[there]
            rows.append(
                {"label": label, **text, "score": float(scores[label]), "scores": scores.tolist()}
            )
        return rows

    def scores(self, outputs, targets):
        return {"accuracy": float(np.mean(np.asarray(outputs["label"]) == np.asarray(targets)))}

    def compare(self, found, expected):
        return Comparison(
            float(np.mean(np.asarray(found["label"]) == np.asarray(expected["label"]))),
            changed_by(found["probabilities"], expected["probabilities"]),
        )
