"""RACE's JSON: one document for each article, with all of the questions on it.

The format is that of https://www.cs.cmu.edu/~glai1/data/race (Lai et al., 2017, "RACE: Large-scale
ReAding Comprehension Dataset From Examinations").
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.json_file import JsonError, parse_json
from keras_roberta.files.regular_file import read_regular
from keras_roberta.files.text_file import text_of_bytes

_LISTS = ("questions", "options", "answers")
_SUFFIXES = (".txt", ".json")


def is_race(record: Any) -> bool:
    """Whether an object of a JSON file is such a document."""
    return (
        isinstance(record, dict)
        and "article" in record
        and all(isinstance(record.get(name), list) for name in ("questions", "options"))
    )


def race_rows(document: dict[str, Any], place: str) -> list[dict[str, Any]]:
    """A row for each question, in the order of the document.

    Args:
        document: an object with `article`, `questions`, `options` (a list of texts for each
            question) and, but for questions that are to be answered, `answers` (letters).
        place: the file and the line, for messages.

    Returns:
        list of dicts of `article`, `question`, `options` and, if there are any, `answer`; and of
        what else the document has, such as `id`.

    Raises:
        InputError: there are not as many options or answers as questions.
    """
    columns = {name: document[name] for name in _LISTS if document.get(name) is not None}
    count = len(columns["questions"])
    for name, values in columns.items():
        if not isinstance(values, list) or len(values) != count:
            found = len(values) if isinstance(values, list) else "no list of them"
            raise InputError(f"{place}: {count} questions, but {found} {name!r}")
    shared = {name: value for name, value in document.items() if name not in _LISTS}
    singular = {"questions": "question", "options": "options", "answers": "answer"}
    return [
        {**shared, **{singular[name]: values[i] for name, values in columns.items()}}
        for i in range(count)
    ]


def race_documents(directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The documents in a directory as RACE is distributed: one in each `.txt` (or `.json`) in it,
    or in `high/` and `middle/` below it. Hidden files and directories, whose names
    begin with a dot, do not count.

    Yields:
        the file's path below the directory, and what it holds; in the order of the paths, numbers
        in them as numbers.

    Raises:
        InputError: names the file that is no such document.
    """
    paths = [
        path
        for path in directory.rglob("*")
        if path.suffix.lower() in _SUFFIXES and not _is_hidden(path.relative_to(directory))
    ]
    for path in sorted(paths, key=_by_number):
        try:
            document = parse_json(text_of_bytes(read_regular(path), path))
        except JsonError:
            document = None
        if not is_race(document):
            raise InputError(
                f"{path}: expected a document of RACE, with an article, questions and options; "
                "move it out of the directory"
            )
        yield path.relative_to(directory).as_posix(), document


def _is_hidden(path):
    return any(part.startswith(".") for part in path.parts)


def _by_number(path):
    return path.parent, int(path.stem) if path.stem.isdecimal() else -1, path.name
