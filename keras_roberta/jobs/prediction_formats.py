"""The formats in which answers are written: a function from answers to lines each."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.unknown_arguments import nearest

ID = "id"  # the column of a table that names its rows
NO_IDS = "json: is answers by their ids, and these rows have no column 'id'; write .jsonl"
Rows = list[dict[str, Any]]


def as_text(rows: Rows) -> list[str]:
    """For people: what was found, then the text, between tabs. Parts of a text are written as
    `PER Sam 0-3, LOC Nuuk 13-17`, other lists as JSON."""
    return ["\t".join(_on_one_line(_cell(value)) for value in row.values()) for row in rows]


def as_tsv(rows: Rows) -> list[str]:
    """The same with the names of the columns on the first line, a column for every label."""
    rows = [_flat(row) for row in rows]
    return ["\t".join(map(_on_one_line, rows[0])), *as_text(rows)] if rows else []


def as_csv(rows: Rows) -> list[str]:
    """CSV after RFC 4180, numbers in full; a text with line breaks is one field in quotes."""
    lines = io.StringIO(newline="")
    rows = [_flat(row) for row in rows]
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(rows[0] if rows else ())
    for row in rows:
        writer.writerow(
            json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value
            for value in row.values()
        )
    return [lines.getvalue().removesuffix("\n")] if rows else []


def as_jsonl(rows: Rows) -> list[str]:
    """A JSON object a line, numbers in full."""
    return [json.dumps(row, ensure_ascii=False) for row in rows]


def as_json(rows: Rows) -> list[str]:
    """One JSON object, from the `id` of each row to what was found: the file of predictions that
    SQuAD's scripts take.

    Raises:
        InputError: the rows have no ids, or two have the same.
    """
    if not all(ID in row for row in rows):
        raise InputError(NO_IDS)
    found = {}
    for row in rows:
        if str(row[ID]) in found:
            raise InputError(f"json: two rows have the id {row[ID]!r}; write .jsonl")
        found[str(row[ID])] = next(iter(row.values()))
    return [json.dumps(found, ensure_ascii=False)]


FORMATS: dict[str, Callable[[Rows], list[str]]] = {
    "text": as_text,
    "tsv": as_tsv,
    "csv": as_csv,
    "jsonl": as_jsonl,
    "json": as_json,
}
_SUFFIXES = {".txt": "text", ".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".json": "json"}


def format_of(out: str | Path, format: str | None) -> str:
    """The format of a file: the one that is asked for, or that of its suffix.

    Raises:
        InputError: the suffix says nothing.
    """
    if format is not None:
        return format
    suffix = Path(out).suffix.lower()
    if suffix not in _SUFFIXES:
        raise InputError(
            f"{out}: name it {', '.join(_SUFFIXES)}, or give a format of {', '.join(FORMATS)}"
            f"{nearest(suffix, _SUFFIXES) if suffix else ''}"
        )
    return _SUFFIXES[suffix]


def _flat(row):
    """With a column for each label's score in place of the dict of them all."""
    flat = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"score of {label}": score for label, score in value.items()}
        else:
            flat[name] = value
    return flat


def _on_one_line(text):
    return " ".join(str(text).split())


def _cell(value):
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4f}"
    if isinstance(value, list) and value and all(map(_is_part, value)):
        return ", ".join(f"{x['label']} {x['text']} {x['start']}-{x['end']}" for x in value)
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(_rounded(value), ensure_ascii=False)
    return str(value)


def _is_part(value):
    """Whether it is a part of a text that has a label."""
    return isinstance(value, dict) and {"text", "label", "start", "end"} <= value.keys()


def _rounded(value):
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value
