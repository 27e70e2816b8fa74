"""Measures answers in a file, whatever model gave them."""

from __future__ import annotations

from pathlib import Path

from keras_roberta.errors import InputError
from keras_roberta.files.hold_output import hold_directory
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.room import check_room
from keras_roberta.jobs.input_table import read_input_table
from keras_roberta.jobs.options.evaluate import EvaluateOptions
from keras_roberta.reports.evaluation import Evaluation, write_evaluation
from keras_roberta.schemas import SCHEMAS


def score_predictions(
    predictions: str | Path,
    data: str | Path,
    options: EvaluateOptions | None = None,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
) -> Evaluation:
    """Measures a file of answers by their ids, such as SQuAD's scripts take.

    Args:
        predictions: a JSON object from ids to answers.
        data: a table with ids and right answers; see `read_table`.
        options: the columns and the limit of rows.
        out, overwrite: see `keras_roberta.jobs.evaluate.evaluate`.

    Raises:
        InputError: names the file or the column that does not fit, or the data has no answers of a
            kind of which there are such files.
    """
    if out is None:
        return _score(predictions, data, options)
    with hold_directory(out, overwrite):
        check_room(out)
        measured = _score(predictions, data, options)
        write_evaluation(out, measured, title=f"{Path(predictions).name} on {Path(data).name}")
    return measured


def _score(predictions, data, options):
    options = options or EvaluateOptions()
    table = read_input_table(data, options.columns, labels=True).head(options.limit)
    found = read_json_object(predictions, hint="write it with `keras-roberta predict --out`")
    fitting = [cls for cls in SCHEMAS.values() if set(cls.label_columns) & set(table.columns)]
    # Of several kinds with such a column there is at most one with files of predictions.
    fitting.sort(key=lambda cls: not cls.has_prediction_files)
    if not fitting or not fitting[0].has_prediction_files:
        raise InputError(
            f"{table.path}: has no answers of a kind that comes in files of predictions; give "
            "--model"
        )
    scores, details = fitting[0].measure_predictions(table, options.columns, found)
    return Evaluation(len(table), scores, details)
