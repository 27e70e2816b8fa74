"""Questions with options: the forms in which they come, and the pairs of texts that they make."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_roberta.data.examples.label_names import LabelError, as_array, as_plain, flat_labels
from keras_roberta.data.examples.named_columns import SAMPLE_WEIGHT, named_columns
from keras_roberta.data.examples.text_forms import rows_of
from keras_roberta.errors import InputError
from keras_roberta.files.json_kinds import short

# What columns are called, the likeliest first. SWAG has `sent1` (a context), `sent2` (how the next
# sentence begins) and `ending0` to `ending3`; `startphrase` is the first two of them, and so is
# HellaSwag's `ctx`. `question_stem` is OpenBookQA's, `premise` COPA's; PIQA has `goal` and `sol1`.
QUESTION = ("question", "question_stem", "sent2", "startphrase", "ctx", "goal")
CHOICES = ("choices", "options", "endings")
CONTEXT = ("context", "article", "passage", "premise", "sent1")
_HOLDS = {"sent2": {"startphrase"}, "startphrase": {"sent1", "sent2"}}  # of one text, or both ways
# COPA's two questions, as its authors ask them (Roemmele et al., 2011, section 2).
_OF_COPA = {"cause": "What was the cause of this?", "effect": "What happened as a result?"}
ANSWER = ("label", "answer", "answerKey", "labels")
_ONE_CHOICE = re.compile(r"(?:ending|choice|option|answer|sol)_?([0-9]+)")
_GAP = re.compile(r"(?<![^\W_])_+(?![^\W_])")  # underscores that are no part of a word
EXPECTED = (
    "expected questions with options: a list of (question, [options]), a pair (questions, options) "
    "of columns, or a table with 'question' and 'choices'"
)


@dataclasses.dataclass(frozen=True)
class Choices:
    """Questions with options.

    Attributes:
        questions: (rows,)
        options: two or more texts for each question.
        contexts: what each question is about, "" for nothing.
        keys: what a file calls the options of each question, such as A to E; () where it does not.
    """

    questions: list[str]
    options: list[list[str]]
    contexts: list[str]
    keys: list[tuple[str, ...]]

    def __len__(self):
        return len(self.questions)

    @property
    def counts(self) -> np.ndarray:
        """How many options each question has: int64 (rows,)."""
        return np.array(list(map(len, self.options)), np.int64)

    def pairs(self) -> tuple[list[str], list[str]]:
        """The texts that a model reads, one pair an option, one question after the other.

        A pair is question and option. Where there is a context it is the first text, and the
        question with the option in its gap (`_`), else behind it, is the second: as in the scripts
        for SWAG and RACE of Transformers.
        """
        firsts, seconds = [], []
        for question, options, context in zip(
            self.questions, self.options, self.contexts, strict=True
        ):
            firsts += [context or question] * len(options)
            seconds += [_filled(question, option) if context else option for option in options]
        return firsts, seconds


def _filled(question, option):
    if _GAP.search(question):
        return _GAP.sub(lambda _: option, question)
    return f"{question} {option}".strip()


def read_choices(x: Any) -> Choices:
    """Questions of any form that they come in.

    Args:
        x: a list of `(question, options)`; a tuple of two columns, `(questions, options)`; a table,
            see `named_columns`, with `question`, `choices` and maybe `context`, or with the columns
            of SWAG or RACE; a single `(question, options)`; or a `Choices`. `choices` may also be
            a dict of `label` and `text`, both lists, or a list of such dicts, as in CommonsenseQA.
            In an array of options, (rows, k), and where each option has a column, empty ones at the
            end of a row are not there.

    Raises:
        LabelError: names the row that is no question with options.
        InputError: the data is of no such form.

    >>> read_choices([("Where is Nuuk?", ["Greenland", "Peru"])]).pairs()
    (['Where is Nuuk?', 'Where is Nuuk?'], ['Greenland', 'Peru'])
    """
    if isinstance(x, Choices):
        return x
    columns = named_columns(x)
    if columns is None:
        questions, options = _two_columns(x)
        columns = {QUESTION[0]: questions, CHOICES[0]: options}
    elif any(isinstance(columns.get(name), (str, bytes)) for name in QUESTION):  # a single one
        columns = {name: [value] for name, value in columns.items()}
    return choices_of_columns({name: _values(values) for name, values in columns.items()})


def _two_columns(x):
    if isinstance(x, tuple) and len(x) == 2:
        return ([x[0]], [x[1]]) if isinstance(x[0], (str, bytes)) else x
    rows = rows_of(x)
    if rows is None or {len(row) for row in rows} != {2}:
        raise InputError(EXPECTED)
    return [row[0] for row in rows], [row[1] for row in rows]


def _values(column):
    """A column as a list of plain values."""
    array = as_array(column)
    values = flat_labels(column)
    if array is not None and array.ndim == 2:  # cannot have rows of unequal length
        values = [_without_empty_end(_plain(row)) for row in values]
    return [_plain(value) for value in values]


def _without_empty_end(options):
    while options and _is_missing(options[-1]):
        options = options[:-1]
    return options


def _is_missing(value):
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _plain(value):
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    value = as_plain(value)
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def choices_of_columns(
    columns: Mapping[str, list], question: str | None = None, choices: str | None = None
) -> Choices:
    """Questions out of the columns of a table.

    Args:
        columns: lists by name; of JSON whatever stands there.
        question, choices: names of columns; None for the usual ones.

    Raises:
        LabelError: names the row that is no question with options.
        InputError: there are no such columns.
    """
    is_named = question is not None
    question = question or next((name for name in QUESTION if name in columns), None)
    choices = choices or next((name for name in CHOICES if name in columns), None)
    if question is None or question not in columns:
        raise InputError(f"{EXPECTED}; found {', '.join(map(repr, columns)) or 'nothing'}")
    context = next((name for name in CONTEXT if name in columns and name != question), None)
    if question == "startphrase":  # which begins with the context
        context = None
    if not is_named:
        _check_unread(columns, question, context)
    questions = columns[question]
    if context == "premise" and set(map(_of_text, questions)) <= _OF_COPA.keys():
        questions = [_OF_COPA[text] for text in questions]
    contexts = columns[context] if context else [""] * len(questions)
    if choices is not None and choices in columns:
        options = columns[choices]
    else:
        options = _one_a_column(columns) or [None] * len(questions)
    if not len(questions) == len(options) == len(contexts):
        raise InputError(f"{len(questions)} questions, but {len(options)} lists of options")
    rows = []
    for row, values in enumerate(zip(questions, options, contexts, strict=True)):
        try:
            rows.append(_row(*values))
        except InputError as error:
            raise LabelError(row, str(error)) from None
    if not rows:
        raise InputError("there are no questions")
    return Choices(*map(list, zip(*rows, strict=True)))


def _check_unread(columns, question, context):
    """Raises where a column that is called as questions or contexts are would not be read."""
    read = {question, context} | _HOLDS.get(question, set())
    known = (name for name in (*QUESTION, *CONTEXT) if name in columns)
    unread = next((name for name in known if name not in read), None)
    if unread is not None:
        used = " and ".join(repr(name) for name in (context, question) if name)
        raise InputError(
            f"the column {unread!r} may be a part of the questions too, beside {used}: remove it, "
            "or name the column of the questions"
        )


def _of_text(value):
    return value if isinstance(value, str) else None


def _one_a_column(columns):
    """Options that have a column each, such as `ending0`, `ending1`, for each row; or None."""
    numbered = {name: _ONE_CHOICE.fullmatch(name) for name in columns}
    names = sorted((int(found[1]), name) for name, found in numbered.items() if found)
    values = [columns[name] for _, name in names]
    if not values:
        return None
    return [_without_empty_end(list(row)) for row in zip(*values, strict=True)]


def _row(question, options, context):
    """A question, its options, its context and the keys of the options, checked."""
    if isinstance(question, dict):  # of CommonsenseQA
        options = question.get("choices", question.get("options")) if options is None else options
        question = question.get("stem")
    options, keys = _options(options)
    context = "" if context is None else context
    for name, text in (("question", question), ("context", context)):
        if not isinstance(text, str):
            raise InputError(f"the {name} is no text, but {short(text, most=40)}")
    if not question.strip() and not context.strip():
        raise InputError("the question is empty")
    return question, options, context, keys


def _options(given):
    keys = ()
    if isinstance(given, dict):
        given, keys = given.get("text"), given.get("label")
    elif isinstance(given, list) and given and all(isinstance(one, dict) for one in given):
        given, keys = [one.get("text") for one in given], [one.get("label") for one in given]
    if not isinstance(given, list):
        raise InputError("there are no options; give a list of two or more texts")
    for number, option in enumerate(given):
        if not isinstance(option, str) or not option.strip():
            what = "is empty" if isinstance(option, str) else "is no text"
            raise InputError(f"option {number} {what} ({short(option, most=40)})")
    if len(given) < 2:
        raise InputError(f"has {len(given)} option{'s' * (len(given) != 1)}; give two or more")
    keys = tuple(map(str, keys or ()))
    if keys and len(keys) != len(given):
        raise InputError(f"{len(given)} options, but {len(keys)} labels of them")
    return given, keys


def with_answers(x: Any) -> tuple[Any, Any, Any]:
    """Data that brings the answers along as (questions, answers, sample weights); None for what it
    lacks.

    Args:
        x: a form of `read_choices`; a tuple of one and the answers, and maybe weights; a list of
            `(question, options, answer)` or of `((question, options), answer)`; or a table with a
            column of answers.
    """
    columns = named_columns(x)
    if columns is not None:
        name = next((name for name in ANSWER if name in columns), None)
        return x, columns.get(name), columns.get(SAMPLE_WEIGHT)
    if isinstance(x, tuple) and len(x) in (2, 3):
        is_single = isinstance(x[0], (str, bytes))  # whose options come second
        if not is_single and _are_answers(x[1]):
            return (*x, None)[:3]
    rows = rows_of(x)
    if rows and {len(row) for row in rows} == {3}:
        return [(row[0], row[1]) for row in rows], [row[2] for row in rows], None
    if rows and all(len(row) == 2 and not isinstance(row[0], (str, bytes)) for row in rows):
        return [row[0] for row in rows], [row[1] for row in rows], None
    return x, None, None


def _are_answers(values):
    """Whether there is one plain value a row: of options there is a list."""
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        return False
    array = as_array(values)
    if array is not None and array.dtype.kind != "O":
        return array.ndim == 1
    return not any(isinstance(value, (list, tuple, Mapping)) for value in _values(values))


def answer_numbers(answers: Any, choices: Choices) -> np.ndarray:
    """Which option is the answer to each question, from 0: int32 (rows,).

    Args:
        answers: one a question, in a list, array, tensor or column of any library: a number from 0;
            or a string: the key that a file gives to an option, else its letter (A is the first) or
            its number; or the option's text.

    Raises:
        LabelError: names the row whose answer is none of the options, or could be several.
    """
    answers = flat_labels(answers)
    if len(answers) != len(choices):
        raise InputError(f"{len(choices)} questions, but {len(answers)} labels")
    numbers = []
    for row, values in enumerate(zip(answers, choices.options, choices.keys, strict=True)):
        try:
            numbers.append(answer_number(*values))
        except InputError as error:
            raise LabelError(row, str(error)) from None
    return np.array(numbers, "int32")


def answer_number(answer: Any, options: list[str], keys: tuple[str, ...] = ()) -> int:
    """The number of the option that an answer means; see `answer_numbers`.

    >>> [answer_number(answer, ["cold", "warm"]) for answer in (1, "B", "1", "warm")]
    [1, 1, 1, 1]
    """
    if isinstance(answer, list) and len(answer) == 1:  # a column of a matrix
        (answer,) = answer
    if isinstance(answer, str):
        found = {number for number, option in enumerate(options) if option == answer}
        found |= _by_name(answer, keys, len(options))
        if len(found) > 1:
            meant = " or ".join(repr(options[number]) for number in sorted(found))
            raise InputError(f"answer {short(answer, most=40)} could mean {meant}; give its number")
        if not found:
            listed = ", ".join(short(option, most=40) for option in options)
            raise InputError(f"answer {short(answer, most=40)} is none of the options ({listed})")
        return found.pop()
    whole = isinstance(answer, int) or (isinstance(answer, float) and answer.is_integer())
    if isinstance(answer, bool) or not whole:
        raise InputError(
            f"the answer must be a number, a letter or an option's text; got "
            f"{short(answer, most=40)}"
        )
    if not 0 <= answer < len(options):
        raise InputError(f"answer {int(answer)} is outside 0..{len(options) - 1}")
    return int(answer)


def _by_name(answer, keys, count):
    """Options with that key; where there are no keys, with that letter or number."""
    names = keys or [chr(ord("A") + number) for number in range(min(count, 26))]
    found = {number for number, name in enumerate(names) if name == answer}
    if not keys and answer.isascii() and answer.isdigit() and len(answer) < 4:
        found |= {int(answer)} & set(range(count))
    return found
