"""Measures a model on a table, and labels texts with it."""

import json
import math
from pathlib import Path

from keras_roberta.data.examples.table_files import read_table
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.jobs.columns import labels_of, read_texts
from keras_roberta.jobs.predictor import open_predictor
from keras_roberta.scores import scores


def evaluate(model, data, columns, tokenizer=None, limit=None, threads=1):
    """Measures a model on a table.

    Args:
        model, tokenizer, threads: see `open_predictor`.
        data: a table; see `read_table`.
        columns: `Columns`
        limit: rows to use, or None for all.

    Returns:
        dict of `rows` and the `scores`.
    """
    table = read_table(data).head(limit)
    texts = read_texts(table, columns)
    predictor = open_predictor(model, tokenizer, threads)
    targets = labels_of(table, columns.label, predictor.num_classes, predictor.labels)
    return {"rows": len(table), **scores(predictor.logits(texts), targets)}


def predict(model, texts, columns, data=None, tokenizer=None, out=None, limit=None, threads=1):
    """Labels texts.

    Args:
        texts: a list, used where `data` is None.
        out: a `.jsonl` or `.tsv` file to write, or None.
        Others: as `evaluate`.

    Returns:
        list of dicts of `label`, `score` and `text`, and `text_pair` where there is one; without
        `label` for a regression.
    """
    if data is not None:
        texts = read_texts(read_table(data).head(limit), columns)
    predictor = open_predictor(model, tokenizer, threads)
    firsts, seconds = texts if isinstance(texts, tuple) else (texts, None)
    rows = [
        {**found, "text": text}
        for found, text in zip(predictor.predict(texts), firsts, strict=True)
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


def tab_separated(row):
    """A prediction on one line: what was found, then the text."""
    cells = (
        f"{value:.4f}" if isinstance(value, float) and math.isfinite(value) else str(value)
        for value in row.values()
    )
    return "\t".join(" ".join(cell.split()) for cell in cells)


def _tsv(rows):
    return ["\t".join(rows[0]), *map(tab_separated, rows)] if rows else []


def _json_lines(rows):
    return [json.dumps(row, ensure_ascii=False) for row in rows]
