"""Measures a model on a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.hold_output import hold_directory
from keras_roberta.files.room import check_room
from keras_roberta.jobs.finetuned_task import only_pretrained
from keras_roberta.jobs.input_table import read_input_table
from keras_roberta.jobs.options.evaluate import EvaluateOptions
from keras_roberta.jobs.predictor import is_exported, open_predictor
from keras_roberta.reports.evaluation import Evaluation, write_evaluation


def evaluate(
    model: str | Path,
    data: str | Path,
    options: EvaluateOptions | None = None,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Measures a model on a table.

    Args:
        model: see `open_predictor`.
        data: a table; see `read_table`.
        out: directory for what `write_evaluation` writes; or None.
        overwrite: replace them in `out`.

    Returns:
        dict of `rows`, the scores of the model's schema, and what its `details` hold, by their
        `to_dict`.

    Raises:
        InputError: names the file, line, column or option that does not fit.
    """
    return measure(model, data, options, out=out, overwrite=overwrite).to_dict()


def measure(
    model: str | Path,
    data: str | Path,
    options: EvaluateOptions | None = None,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
) -> Evaluation:
    """`evaluate`, as a record that knows its tables."""
    options = options or EvaluateOptions()
    if out is None:
        measured, _ = _measure(model, data, options)
        return measured
    with hold_directory(out, overwrite):
        check_room(out)
        measured, table = _measure(model, data, options)
        write_evaluation(out, measured, title=f"{Path(model).name} on {table.path.name}")
    return measured


def _measure(model, data, options):
    table = read_input_table(data, options.columns, labels=True).head(options.limit)
    predictor = open_predictor(model, options.tokenizer, options.threads)
    schema = predictor.schema
    if not schema.has_targets:
        if not is_exported(model):
            raise only_pretrained(model)
        raise InputError(f"{model}: gives {schema.name}, which no column of labels can measure")
    texts = schema.read_inputs(table, options.columns)
    targets = schema.read_targets(table, options.columns)
    outputs = predictor.outputs(texts)
    if options.threshold is not None:
        outputs = schema.at_threshold(outputs, options.threshold)
    scores, details = schema.scores(outputs, targets), schema.details(outputs, targets)
    scores |= schema.repairs(table, options.columns)
    return Evaluation(len(table), scores, details), table
