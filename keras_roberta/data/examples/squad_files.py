"""SQuAD's JSON: one document of articles, their paragraphs, and the questions on each.

The format is that of https://rajpurkar.github.io/SQuAD-explorer, versions 1.1 and 2.0, in which
XQuAD and many other sets come too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.json_kinds import (
    TEXT,
    TRUTH,
    Either,
    ListOf,
    Maybe,
    Record,
    Whole,
    short,
)

ANSWER = Record({"text": TEXT, "answer_start": Whole(0)})
_QUESTION = Record(
    {"id": Either((TEXT, Whole(0))), "question": TEXT},
    {"answers": Maybe(ListOf(ANSWER)), "is_impossible": TRUTH},
)
_COLUMNS = ("id", "question", "context", "answers")


def is_squad(document: Any) -> bool:
    """Whether what a JSON file holds is a document of this format."""
    return isinstance(document, dict) and isinstance(document.get("data"), list)


def squad_columns(document: dict[str, Any], path: str | Path) -> dict[str, list]:
    """A row for each question, in the order of the document.

    Args:
        document: what the file holds.
        path: for messages.

    Returns:
        dict of lists: `id` (whole numbers are written out), `question` and `context`, strings; and
        where the document has answers `answers`, lists of dicts of `text` and `answer_start`, in
        characters of the context. A question that the context does not answer (SQuAD 2.0's
        `is_impossible`) has none.

    Raises:
        InputError: names the place, or the question by its id, that is not of this form.
    """
    rows = [
        _row(question, context, place, path)
        for place, context, questions in _paragraphs(document, path)
        for place, question in _listed(questions, f"{place}.qas", path)
    ]
    if not rows:
        raise InputError(f"{path}: there are no questions")
    columns = {name: [row[name] for row in rows] for name in _COLUMNS}
    seen = set()
    for number in columns["id"]:
        if number in seen:
            raise InputError(f"{path}: two questions have the id {short(number)}")
        seen.add(number)
    without = [row["id"] for row in rows if row["answers"] is None]
    if len(without) == len(rows):  # to be predicted
        del columns["answers"]
    elif without:
        raise InputError(f"{path}, question {without[0]}: no 'answers', which other questions have")
    return columns


def _paragraphs(document, path):
    """Place, context and questions of each paragraph."""
    for place, article in _listed(document["data"], "data", path):
        if not isinstance(article, dict) or "paragraphs" not in article:
            raise InputError(f"{path}: {place}: expected an article with 'paragraphs'")
        listed = _listed(article["paragraphs"], f"{place}.paragraphs", path)
        for where, paragraph in listed:
            if not isinstance(paragraph, dict) or not {"context", "qas"} <= paragraph.keys():
                raise InputError(f"{path}: {where}: expected a paragraph of 'context' and 'qas'")
            if problem := TEXT.problem(paragraph["context"], f"{where}.context"):
                raise InputError(f"{path}: {problem}")
            yield where, paragraph["context"], paragraph["qas"]


def _listed(values, place, path):
    if not isinstance(values, list):
        raise InputError(f"{path}: {place}: expected a list; got {short(values)}")
    return ((f"{place}[{i}]", value) for i, value in enumerate(values))


def _row(question, context, place, path):
    named = isinstance(question, dict) and isinstance(question.get("id"), (str, int))
    if problem := _QUESTION.problem(question, "" if named else place):
        where = f", question {question['id']}" if named else ""
        raise InputError(f"{path}{where}: {problem}")
    answers = question.get("answers")
    if answers is None and question.get("is_impossible"):
        answers = []
    return {
        "id": str(question["id"]),
        "question": question["question"],
        "context": context,
        "answers": answers,
    }
