"""Compares exported models with the preset that they came from."""

from pathlib import Path

from keras_roberta.data.tables import read_table
from keras_roberta.errors import InputError
from keras_roberta.models.roberta_text_classifier import RobertaTextClassifier
from keras_roberta.recipes.columns import labels_of, text_columns
from keras_roberta.recipes.compare import as_table, measure, write_json
from keras_roberta.recipes.picture import draw
from keras_roberta.recipes.predictor import (
    bytes_on_disk,
    is_exported,
    runner_predictor,
    task_predictor,
)


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
    texts = text_columns(table, columns)
    task = RobertaTextClassifier.from_preset(preset)
    if task.num_classes == 1:
        raise InputError(f"{preset}: is a regression; report compares classifiers")
    targets = labels_of(table, columns.label, task.num_classes, task.labels)
    rows = compare(task, preset, models, texts, targets, threads)
    write_json(Path(out) / "report.json", rows, data=str(data), rows=len(table))
    draw(Path(out) / "report.png", rows)
    return as_table(rows, f"{len(table)} texts of {data}")


def compare(task, preset, models, texts, targets, threads=1):
    """`Measured` of a task in memory, saved as `preset`, then of each exported model."""
    keras_row, reference = measure(
        "Keras", task_predictor(task, bytes_on_disk(preset)), texts, targets
    )
    rows = [keras_row]
    for path in models:
        predictor = runner_predictor(path, task.preprocessor.tokenizer, threads)
        rows.append(measure(Path(path).name, predictor, texts, targets, reference)[0])
    return rows
