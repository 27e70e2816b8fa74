"""Compares exported models with the preset that they came from."""

import dataclasses
import json
from pathlib import Path

from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.export.comparison import (
    Row,
    as_table,
    bytes_on_disk,
    median_latencies,
    quality,
    short_name,
)
from keras_roberta.export.picture import draw
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.jobs.columns import labels_of, read_texts
from keras_roberta.jobs.predictor import is_exported, runner_predictor, task_predictor
from keras_roberta.tasks.text_classifier import RobertaTextClassifier


def report(models, preset, data, out, columns, limit=None, threads=1):
    """Measures every model on a table; writes `report.json` and `report.png` into `out`.

    Args:
        models: paths of `.tflite` files and SavedModel directories.
        preset: the classifier that they were exported from: the reference.
        data, columns, limit: see `evaluate`.
        threads: for TFLite.

    Returns:
        a rich table.
    """
    wrong = next((path for path in models if not is_exported(path)), None)
    if wrong is not None:
        raise InputError(f"{wrong}: is neither a .tflite file nor a SavedModel's directory")
    table = read_table(data).head(limit)
    texts = read_texts(table, columns)
    task = RobertaTextClassifier.from_preset(preset)
    if task.num_classes == 1:
        raise InputError(f"{preset}: is a regression; report compares classifiers")
    targets = labels_of(table, columns.label, task.num_classes, task.labels)
    rows = compare(task, preset, models, texts, targets, threads)
    write_json(Path(out) / "report.json", rows, data=str(data), rows=len(table))
    draw(Path(out) / "report.png", rows)
    return as_table(rows, f"{len(table)} texts of {data}")


def compare(task, preset, models, texts, targets, threads=1):
    """Rows of a task in memory, saved as `preset`, and of each exported model.

    Returns:
        list of `Row`. `agreement` is with the task; the latency is the median over texts, their
        tokenization included.
    """
    tokenizer = task.preprocessor.tokenizer
    names = ["Keras", *map(short_name, models)]
    predictors = [
        task_predictor(task, bytes_on_disk(preset)),
        *(runner_predictor(path, tokenizer, threads) for path in models),
    ]
    logits = [predictor.logits(texts) for predictor in predictors]
    times = median_latencies([predictor.one for predictor in predictors], texts)
    return [
        Row(
            name,
            **quality(outputs, targets, None if predictor is predictors[0] else logits[0]),
            megabytes=predictor.num_bytes / 1e6,
            median_ms=milliseconds,
        )
        for name, predictor, outputs, milliseconds in zip(
            names, predictors, logits, times, strict=True
        )
    ]


def write_json(path, models, **more):
    """Writes the rows as `models`, with `more` beside them."""
    values = {"models": [dataclasses.asdict(row) for row in models], **more}
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
