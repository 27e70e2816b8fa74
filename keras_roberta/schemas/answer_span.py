"""The part of a context that answers a question."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from keras_roberta.data.examples.label_names import LabelError
from keras_roberta.data.examples.question_forms import CONTEXT, QUESTION, questions_and_contexts
from keras_roberta.errors import InputError
from keras_roberta.files.json_kinds import short
from keras_roberta.options import Option, OptionError
from keras_roberta.options.values import checked
from keras_roberta.schemas.answer_labels import check_in_context, references
from keras_roberta.schemas.best_spans import Window, best_spans
from keras_roberta.schemas.comparison import Comparison, changed_by
from keras_roberta.schemas.metrics import Details, checked_threshold
from keras_roberta.schemas.schema import Schema
from keras_roberta.schemas.squad_scores import squad_scores
from keras_roberta.tokenizers import byte_buffer

_PER_TOKEN = ("start_logits", "end_logits")


@dataclasses.dataclass(frozen=True)
class AnswerSpan(Schema):
    """A part of a context, or no answer.

    Attributes:
        null_threshold: a question has no answer where the probability of that, against the best
            part of the context, is above this; 0.5 is the threshold 0 of the difference of logits
            in Transformers and in the official script of SQuAD 2.0. None where each question has
            an answer, as in SQuAD 1.1.
        max_answer_length: the most tokens of an answer.
        stride: tokens that a window of a long context shares with the one before it.
    """

    null_threshold: float | None = None
    max_answer_length: int = 30
    stride: int = 128

    name: ClassVar[str] = "answer-span"
    main_score: ClassVar[str] = "f1"
    main_score_points: ClassVar[float] = 1.0
    label_columns: ClassVar[tuple[str, ...]] = ("answers",)
    settings: ClassVar[tuple[str, ...]] = ("stride",)
    ragged_outputs: ClassVar[tuple[str, ...]] = _PER_TOKEN
    needs_pairs: ClassVar[bool] = True
    has_prediction_files: ClassVar[bool] = True
    training_options: ClassVar[frozenset[str]] = frozenset({"r_drop", "confidence_penalty"})
    asked_besides: ClassVar[frozenset[str]] = frozenset({"n_best"})

    def __post_init__(self):
        if self.null_threshold is not None:
            checked_threshold(self.null_threshold, "null_threshold")
        for name, least in (("max_answer_length", 1), ("stride", 0)):
            value = checked(name, int, Option("", at_least=least), getattr(self, name))
            object.__setattr__(self, name, value)

    # From tables and Python data

    @classmethod
    def from_table(cls, table, columns, *, num_classes=None):
        """With a threshold for no answer where the table has questions without one."""
        if num_classes is not None:
            raise OptionError("num_classes", f"{num_classes}: questions have answers, not classes")
        answers = cls().read_targets(table, columns)
        return cls(null_threshold=None if all(answers) else 0.5)

    def read_inputs(self, table, columns, *, prefix="--"):
        names = {
            "text": columns.text or _usual(table, QUESTION, "text"),
            "text-pair": columns.text_pair or _usual(table, CONTEXT, "text_pair"),
        }
        sides = [table.texts(name, f"{prefix}{side}-column") for side, name in names.items()]
        for name, texts in zip(names.values(), sides, strict=True):
            for text, line in zip(texts, table.lines, strict=True):
                if not text.strip():
                    raise table.error(line, name, f"it is empty; remove the {table.unit}")
        return tuple(sides)

    def shown_inputs(self, inputs):
        """The question alone: contexts are long."""
        return [{QUESTION: question} for question in inputs[0]]

    def read_targets(self, table, columns, *, prefix="--"):
        targets = super().read_targets(table, columns, prefix=prefix)
        _, contexts = self.read_inputs(table, columns, prefix=prefix)
        column = self.label_column(table, columns)
        for answers, context, line in zip(targets, contexts, table.lines, strict=True):
            for answer in answers:
                try:
                    check_in_context(answer, context)
                except InputError as error:
                    raise table.error(line, column, str(error)) from None
        return targets

    def read_labels(self, table, column, option):
        return table.column(column, option)

    def texts_of(self, asked):
        return questions_and_contexts(asked)

    def targets(self, labels):
        """See `answer_labels.references`."""
        return references(labels)

    # To people

    def outputs(self, logits):
        """Of rows of tokens that are (question, context) already: places are numbers of tokens.

        Args:
            logits: list of float arrays (tokens, 3): of the first and the last token of the answer,
                and 1 where a token is of the context, 0 elsewhere.
        """
        windows = []
        for row in logits:
            places = np.arange(len(row))[:, None] + [0, 1]
            windows.append([Window(row[:, :2], np.where(row[:, 2:] > 0, places, 0))])
        per_token = {
            name: [np.asarray(row[:, i], "float32") for row in logits]
            for i, name in enumerate(_PER_TOKEN)
        }
        return per_token | self.of_windows(windows)

    def of_windows(self, windows: list[list[Window]], n_best: int = 1) -> dict[str, np.ndarray]:
        """Named outputs of texts.

        Args:
            windows: those of each context.
            n_best: how many parts of each context to give.

        Returns:
            `start`, `end`, int32 (rows,), in the units of the windows' offsets; `score` float32
            (rows,); `no_answer` float32 (rows,), see `BestSpans`; `answered` int32 (rows,), 1
            where there is an answer. With `n_best` above 1 also `starts`, `ends`, `scores`
            (rows, n_best).
        """
        found = [best_spans(rows, n_best, self.max_answer_length) for rows in windows]
        several = {
            name: np.array([getattr(best, name) for best in found]).reshape(len(found), n_best)
            for name in ("starts", "ends", "scores")
        }
        outputs = {name.removesuffix("s"): values[:, 0] for name, values in several.items()}
        outputs["no_answer"] = np.array([best.no_answer for best in found], "float32")
        outputs = self._decided(outputs, self.null_threshold)
        return outputs | several if n_best > 1 else outputs

    def _decided(self, outputs, threshold):
        none = outputs["no_answer"] > (np.inf if threshold is None else np.float32(threshold))
        answered = (outputs["end"] > outputs["start"]) & ~none
        return {**outputs, "answered": answered.astype("int32")}

    def as_asked(self, *, n_best=1):
        """`n_best` is for `join_windows`; it is checked here."""
        checked("n_best", int, Option("", at_least=1), n_best)
        return self

    def check_asked_of_ids(self, *, n_best=1):
        if n_best != 1:
            raise OptionError("n_best", ": of token ids the best answer alone is told; give texts")

    def finish(self, outputs):
        besides = ("start_byte", "end_byte", "answer", "offsets")
        return {k: v for k, v in super().finish(outputs).items() if k not in besides}

    def join_windows(self, outputs, windows, *, n_best=1):
        """See `of_windows`, of an exported model's rows; places are bytes of the contexts."""
        columns = (*(outputs[name] for name in _PER_TOKEN), outputs["offsets"])
        found = [
            Window(np.column_stack([starts, ends]), offsets)
            for starts, ends, offsets in zip(*columns, strict=True)
        ]
        last = np.cumsum(windows.rows_per_text)
        first = last - windows.rows_per_text
        by_text = [found[i:j] for i, j in zip(first, last, strict=True)]
        return self.of_windows(by_text, n_best)

    def with_texts(self, outputs, asked):
        """Places in bytes of the contexts as places in characters, and `context`, which answers are
        parts of; of token ids the outputs as they are."""
        if isinstance(asked, Mapping) and "token_ids" in asked:
            return outputs
        _, contexts = questions_and_contexts(asked)
        outputs = {**outputs, "context": as_objects(contexts)}
        for names in (("start", "end"), ("starts", "ends")):  # the latter with `n_best`
            if names[0] in outputs:
                places = zip(*(outputs[name] for name in names), contexts, strict=True)
                found = np.array([_in_characters(*of_row) for of_row in places], "int32")
                outputs |= {name: found[:, i] for i, name in enumerate(names)}
        return outputs

    def answers(self, outputs):
        """`score` is that of the answer, and where there is none the probability of that. Where a
        threshold decides, `no_answer` is what it is compared with."""
        rows, decides = [], self.null_threshold is not None or "threshold" in outputs
        for row in range(len(outputs["start"])):
            none = float(outputs["no_answer"][row])
            if not outputs["answered"][row]:
                answer = {"text": "", "start": 0, "end": 0, "score": none}
            else:
                answer = _part(outputs, row, *(outputs[name][row] for name in _PARTS))
            if decides:
                answer["no_answer"] = none
            if "starts" in outputs:
                parts = zip(*(outputs[f"{name}s"][row] for name in _PARTS), strict=True)
                parts = [_part(outputs, row, *part) for part in parts]
                answer["n_best"] = [part for part in parts if part["end"] > part["start"]]
            rows.append(answer)
        return rows

    def labels_of(self, answers):
        return [(answer["start"], answer["end"]) if answer["text"] else None for answer in answers]

    def answer_texts(self, outputs) -> list[str]:
        """The answers alone, "" for none."""
        return [answer["text"] for answer in self.answers(outputs)]

    def scores(self, outputs, targets):
        return self._measured(outputs, targets).means()

    def ranking_scores(self, targets):
        return ("exact", "f1")

    def details(self, outputs, targets):
        scores = self._measured(outputs, targets).by_kind()
        if scores:
            always = {**outputs, **self._decided(outputs, None)}
            scores |= self._measured(always, targets).best(outputs["no_answer"])
        return Details(scores=scores)

    def _measured(self, outputs, targets):
        if "context" not in outputs:
            raise InputError("answers of token ids have no text to measure; give texts")
        return squad_scores(self.answer_texts(outputs), _texts(targets, outputs["context"]))

    @classmethod
    def measure_predictions(cls, table, columns, predictions):
        """A question without a prediction counts as answered wrongly; `missing` says how many.

        So does the script of SQuAD 1.1. That of 2.0 leaves such a question out of its sums and
        then ends with a KeyError.

        As in the official scripts the texts of the answers count, not where they are said to be.
        """
        column, ids = cls().label_column(table, columns), list(map(str, table.column("id")))
        try:
            answers = cls().targets(cls().read_labels(table, column, "--label-column"))
        except LabelError as error:
            raise table.error(table.lines[error.row], column, error.problem) from None
        if any(answer.text is None for of_row in answers for answer in of_row):
            answers = cls().read_targets(table, columns)  # which holds them against the contexts
            right = _texts(answers, cls().read_inputs(table, columns)[1])
        else:
            right = [[answer.text for answer in of_row] for of_row in answers]
        if not set(ids) & predictions.keys():
            raise InputError(f"{table.path}: none of its questions has a prediction; see the ids")
        for number, text in predictions.items():
            if not isinstance(text, str):
                raise InputError(f"prediction {short(number)}: expected text; got {short(text)}")
        given = [predictions.get(number, _NO_PREDICTION) for number in ids]
        measured = squad_scores(given, right)
        missing = sum(number not in predictions for number in ids)
        return measured.means(), Details({**measured.by_kind(), "missing": missing})

    def at_threshold(self, outputs, threshold):
        """No answer where `no_answer` is above the threshold."""
        return self._decided(outputs, checked_threshold(threshold)) | {"threshold": threshold}

    def compare(self, found, expected):
        same = np.ones(len(expected["start"]), bool)
        for name in ("start", "end", "answered"):
            same &= np.asarray(found[name]) == np.asarray(expected[name])
        change = max(changed_by(found[name], expected[name]) for name in ("score", "no_answer"))
        return Comparison(float(same.mean()), change)

    def task_settings(self):
        return dataclasses.asdict(self)

    def settings_with_head(self, saved):
        """The threshold of data with questions that have no answer, where the head has none."""
        if self.null_threshold is None or saved.get("null_threshold") is not None:
            return {}
        return {"null_threshold": self.null_threshold}


_PARTS = ("start", "end", "score")
_NO_PREDICTION = "\ufffc"  # a text that is no answer


def as_objects(values) -> np.ndarray:
    """Values of any kind as an object array (rows,)."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _usual(table, name, other):
    return other if name not in table.columns and other in table.columns else name


def _in_characters(starts, ends, context):
    """Places in the UTF-8 of a text as places in its characters: starts and ends, of any shape."""
    utf8 = np.frombuffer(byte_buffer.encode(context), np.uint8)
    first = np.flatnonzero(utf8 & 0xC0 != 0x80)  # the bytes with which characters begin
    behind = np.append(first, len(utf8))[1:]
    # A token may begin or end within a character, which then counts.
    return np.searchsorted(behind, starts, side="right"), np.searchsorted(first, ends)


def _part(outputs, row, start, end, score):
    text = None
    if "context" in outputs:
        part = outputs["context"][row][start:end]
        text = part.strip()  # a token may be of white space alone
        start = start + len(part) - len(part.lstrip())
        end = start + len(text)
    return {"text": text, "start": int(start), "end": int(end), "score": float(score)}


def _texts(targets, contexts):
    """The texts of right answers, of which some say only where they are."""
    return [
        [
            context[answer.start : answer.end] if answer.text is None else answer.text
            for answer in of_row
        ]
        for of_row, context in zip(targets, contexts, strict=True)
    ]
