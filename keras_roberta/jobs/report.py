"""Compares exported models with the preset that they came from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from keras_roberta.errors import InputError
from keras_roberta.files.hold_output import hold_directory
from keras_roberta.files.room import check_room
from keras_roberta.jobs.finetuned_task import open_finetuned_task
from keras_roberta.jobs.input_table import read_input_table
from keras_roberta.jobs.options.report import ReportOptions
from keras_roberta.jobs.predictor import is_exported, runner_predictor, task_predictor
from keras_roberta.reports.contents import Report, Row
from keras_roberta.reports.side_by_side import side_by_side
from keras_roberta.reports.size_on_disk import bytes_on_disk, short_name
from keras_roberta.reports.table import as_table
from keras_roberta.reports.write import write_report


def report_on_table(
    models: Sequence[str | Path],
    preset: str | Path,
    data: str | Path,
    out: str | Path,
    options: ReportOptions | None = None,
) -> Table:
    """Measures every model on a table; writes `report.json` and `report.png` into `out`.

    Args:
        models: paths of `.tflite` files and SavedModel directories.
        preset: the task that they were exported from: the reference.
        data: a table; see `read_table`.
        out: directory for both.

    Returns:
        a rich table.
    """
    options = options or ReportOptions()
    wrong = next((path for path in models if not is_exported(path)), None)
    if wrong is not None:
        raise InputError(f"{wrong}: is neither a .tflite file nor a SavedModel's directory")
    with hold_directory(out, overwrite=True):  # both files take the place of older ones
        check_room(out)
        return _report_on_table(models, preset, data, out, options)


def _report_on_table(models, preset, data, out, options):
    table = read_input_table(data, options.columns, labels=False).head(options.limit)
    task = open_finetuned_task(preset)
    predictor = task_predictor(task)
    texts = predictor.schema.read_inputs(table, options.columns)
    targets = None
    if predictor.schema.has_targets:
        targets = predictor.schema.read_targets(table, options.columns)
    title = f"{len(table)} texts of {data}"
    rows = compare_exports(task, preset, models, texts, targets, threads=options.threads)
    write_report(out, Report(title, rows, facts={"data": str(data), "rows": len(table)}))
    return as_table(rows, title)


def compare_exports(
    task, preset: str | Path, models: Sequence[str | Path], texts, targets, *, threads: int = 1
) -> list[Row]:
    """Rows of a task in memory, saved as `preset`, and of each exported model.

    The task is the reference; see `side_by_side`.
    """
    tokenizer = task.preprocessor.tokenizer
    predictors = {"Keras": task_predictor(task, bytes_on_disk(preset))}
    names = [short_name(path) for path in models]
    for path, name in zip(models, names, strict=True):
        name = name if names.count(name) == 1 else str(path)
        predictors[name] = runner_predictor(path, tokenizer, threads)
    return side_by_side(predictors, texts, targets)
