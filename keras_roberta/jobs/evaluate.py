"""Measures a model on a table, and answers for texts with it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.jobs.finetuned_task import only_pretrained
from keras_roberta.jobs.options.evaluate import EvaluateOptions, PredictOptions
from keras_roberta.jobs.predictor import is_exported, open_predictor


def evaluate(
    model: str | Path, data: str | Path, options: EvaluateOptions | None = None
) -> dict[str, Any]:
    """Measures a model on a table.

    Args:
        model: see `open_predictor`.
        data: a table; see `read_table`.

    Returns:
        dict of `rows` and the scores of the model's schema.

    Raises:
        InputError: names the file, line, column or option that does not fit.
    """
    options = options or EvaluateOptions()
    table = read_table(data).head(options.limit)
    predictor = open_predictor(model, options.tokenizer, options.threads)
    schema = predictor.schema
    if not schema.has_targets:
        if not is_exported(model):
            raise only_pretrained(model)
        raise InputError(f"{model}: gives {schema.name}, which no column of labels can measure")
    texts = schema.read_inputs(table, options.columns)
    targets = schema.read_targets(table, options.columns)
    return {"rows": len(table), **schema.scores(predictor.outputs(texts), targets)}


def predict(
    model: str | Path,
    texts: list[str] | tuple[list[str], list[str]] | None = None,
    options: PredictOptions | None = None,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
) -> list[dict[str, Any]]:
    """Answers for texts.

    Args:
        model: see `open_predictor`.
        texts: a list, or a pair of lists; left out with `data`.
        data: a table of texts instead.
        out: a `.jsonl` or `.tsv` file to write, or None.

    Returns:
        list of dicts: the answer of the model's schema, then `text`, and `text_pair` where there
        is one.

    Raises:
        InputError: names the file, column or option that does not fit.
    """
    options = options or PredictOptions()
    options.check_source(data)
    table = None if data is None else read_table(data).head(options.limit)
    predictor = open_predictor(model, options.tokenizer, options.threads)
    if table is not None:
        texts = predictor.schema.read_inputs(table, options.columns)
    elif isinstance(texts, tuple):
        texts = tuple(part[: options.limit] for part in texts)
    else:
        texts = texts[: options.limit]
    firsts, seconds = texts if isinstance(texts, tuple) else (texts, None)
    rows = [
        {**answer, "text": text}
        for answer, text in zip(predictor.answers(texts), firsts, strict=True)
    ]
    for row, second in zip(rows, seconds or (), strict=False):
        row["text_pair"] = second
    if out is not None:
        as_lines = _tsv if Path(out).suffix == ".tsv" else _json_lines
        with atomic_file(out) as path:
            path.write_text(
                "".join(f"{line}\n" for line in as_lines(rows)), encoding="utf-8", errors="replace"
            )
    return rows


def tab_separated(row: dict[str, Any]) -> str:
    """An answer on one line: what was found, then the text. Lists are written as JSON."""
    return "\t".join(" ".join(_cell(value).split()) for value in row.values())


def _cell(value):
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4f}"
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(_rounded(value), ensure_ascii=False)
    return str(value)


def _rounded(value):
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def _tsv(rows):
    return ["\t".join(rows[0]), *map(tab_separated, rows)] if rows else []


def _json_lines(rows):
    return [json.dumps(row, ensure_ascii=False) for row in rows]
