"""A report as files."""

import json
from pathlib import Path

from keras_roberta.files.atomic_write import atomic_directory, atomic_file
from keras_roberta.reports.contents import Report

JSON_NAME, PICTURE_NAME = "report.json", "report.png"


def write_report(directory: str | Path, report: Report):
    """Writes `report.json` and `report.png` into a directory, both or neither."""
    from keras_roberta.reports.picture import draw  # Matplotlib is slow to import

    with atomic_directory(directory, last=JSON_NAME) as temporary:
        write_json(temporary / JSON_NAME, report.to_dict())
        draw(temporary / PICTURE_NAME, report)


def write_json(path: str | Path, values):
    """Writes plain values as JSON. What is not a finite number becomes null, which JSON has."""
    with atomic_file(path) as temporary:
        temporary.write_text(json_text(values, indent=2) + "\n", encoding="utf-8")


def json_text(values, indent: int | None = None) -> str:
    """Plain values as JSON, what is not a finite number as null."""
    return json.dumps(_with_nulls(values), indent=indent, allow_nan=False, ensure_ascii=False)


def _with_nulls(values):
    if isinstance(values, dict):
        return {str(name): _with_nulls(value) for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_with_nulls(value) for value in values]
    if isinstance(values, float) and not abs(values) < float("inf"):
        return None
    return values
