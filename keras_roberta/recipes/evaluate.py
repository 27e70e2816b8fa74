"""Measures a model on a table, and labels texts with it."""

import json
import math
from pathlib import Path

import numpy as np

from keras_roberta.atomic_write import atomic_file
from keras_roberta.data.tables import read_table
from keras_roberta.recipes.columns import labels_of, text_columns
from keras_roberta.recipes.predictor import open_predictor


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
    texts = text_columns(table, columns)
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
        texts = text_columns(read_table(data).head(limit), columns)
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


def scores(logits, targets):
    """How good outputs are.

    Args:
        logits: (rows, classes); one class is a regression.
        targets: class numbers, or floats.

    Returns:
        dict of `accuracy` and `macro_f1`; or of `mse` and `pearson` (None where either side is
        constant).
    """
    logits, targets = np.asarray(logits), np.asarray(targets)
    if logits.shape[-1] == 1:
        outputs = logits[:, 0].astype("float64")
        varied = np.ptp(outputs) > 0 and np.ptp(targets) > 0
        return {
            "mse": float(np.mean((outputs - targets) ** 2)),
            "pearson": float(np.corrcoef(outputs, targets)[0, 1]) if varied else None,
        }
    from sklearn.metrics import f1_score

    predicted = logits.argmax(axis=-1)
    return {
        "accuracy": float(np.mean(predicted == targets)),
        "macro_f1": float(f1_score(targets, predicted, average="macro", zero_division=0)),
    }


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
