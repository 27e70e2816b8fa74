"""Tables in JSON: an object a line, a list of objects, or a document of SQuAD or RACE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from keras_roberta.data.examples.race_files import is_race, race_documents, race_rows
from keras_roberta.data.examples.squad_files import is_squad, squad_columns
from keras_roberta.errors import InputError
from keras_roberta.files.json_file import JsonError, parse_json
from keras_roberta.files.json_kinds import short

MISSING = object()


class JsonColumns(Mapping):
    """The fields of JSON objects, each read when it is asked for: what others hold does not matter.

    A field of a field has a name with dots, unless a field is spelt so: "meta.stars".

    >>> columns = JsonColumns([{"meta": {"stars": 5}}, {"meta": {"stars": 1}, "other": [1]}])
    >>> columns["meta.stars"], list(columns)
    ([5, 1], ['meta', 'other'])
    """

    def __init__(self, records: list[dict]):
        self.records = records

    def __getitem__(self, name):
        values = [_field(record, name) for record in self.records]
        if all(value is MISSING for value in values):
            raise KeyError(name)
        return values

    def __iter__(self):
        return iter(dict.fromkeys(name for record in self.records for name in record))

    def __len__(self):
        return len(list(iter(self)))


def _field(record, name):
    if name in record:
        return record[name]
    for part in name.split("."):
        if not isinstance(record, dict) or part not in record:
            return MISSING
        record = record[part]
    return record


# Columns, where each row is, and what that names: see `Table`.
Found = tuple[Mapping[str, list], list, str]


def json_columns(path: Path, text: str) -> Found:
    """One document of a known form; else JSON lines.

    Raises:
        InputError: names the file, and the line or the object that is no such thing.
    """
    if not _is_json_lines(text):
        document = _document(path, text)
        if is_squad(document):
            columns = squad_columns(document, path)
            return columns, columns["id"], "question"
        if is_race(document):
            return _of_objects(path, [(1, document)], "line")
        if isinstance(document, list) and document:
            return _of_objects(path, enumerate(document, 1), "object")
    return json_lines_columns(path, text)


def json_lines_columns(path: Path, text: str) -> Found:
    """An object a line; empty lines do not count.

    Raises:
        InputError: names the file and the line.
    """
    records = []
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            records.append((line, parse_json(content)))
        except JsonError as error:
            raise InputError(f"{path}, line {line}: not valid JSON ({error})") from None
    return _of_objects(path, records, "line")


def race_columns(directory: Path) -> Found | None:
    """The documents of RACE in a directory, see `race_documents`; None where it has none.

    Raises:
        InputError: names the file that is no such document.
    """
    documents = list(race_documents(directory))
    return _of_objects(directory, documents, "file") if documents else None


def is_json_object(data: bytes) -> bool:
    """Whether the content of a file, or its first line, is an object of JSON."""
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False
    text = data.decode("utf-8-sig", "replace").strip()
    return any(isinstance(_parsed(part), dict) for part in (text.partition("\n")[0], text))


def _parsed(text):
    try:
        return parse_json(text)
    except JsonError:
        return None


def _document(path, text):
    """What a JSON file holds; None where it is none, and its errors are those of JSON lines."""
    try:
        return parse_json(text)
    except JsonError as error:
        if text.lstrip().startswith("["):
            raise InputError(f"{path}: not valid JSON ({error})") from None
        return None


def _is_json_lines(text):
    """Whether the first line is an object, and other lines follow."""
    first, _, rest = text.lstrip().partition("\n")
    return bool(rest.strip()) and isinstance(_parsed(first), dict)


def _of_objects(path, records: Iterable[tuple[int | str, Any]], unit: str):
    """A row for each object of a file, or for each question of one that is a document of RACE."""
    rows, places = [], []
    for name, record in records:
        place = f"{path}, {unit} {name}"
        if not isinstance(record, dict):
            wanted = "one JSON object a line" if unit == "line" else "a list of JSON objects"
            raise InputError(f"{place}: expected {wanted}, found {short(record, most=40)}")
        of_record = race_rows(record, place) if is_race(record) else [record]
        rows += of_record
        places += [name] * len(of_record)
    return JsonColumns(rows), places, unit
