"""`keras-roberta evaluate`"""

from pathlib import Path
from typing import Annotated

from typer import Option

from keras_roberta.cli.paths import OptionalModel, Overwrite, check_file, check_model
from keras_roberta.cli.quiet_interpreter import start_interpreter
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.evaluate import EvaluateOptions
from keras_roberta.training.allocator import keep_freed_memory


def evaluate(
    data: Annotated[Path, Option(help="Texts and labels: .tsv, .csv, .jsonl, .json or .conll.")],
    options: EvaluateOptions,
    model: OptionalModel = None,
    predictions: Annotated[
        Path | None,
        Option(help="Answers by id in place of a model, a .json such as predict --out writes."),
    ] = None,
    out: Annotated[
        Path | None,
        Option(help="Directory for evaluation.json and pictures: confusion, classes, reliability."),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print a JSON object.")] = False,
    overwrite: Overwrite = False,
):
    """Measure a model on texts whose labels are known: scores, classes, confusions, thresholds.

    Example: keras-roberta evaluate --model run/ --data dev.tsv --out measured/
    """
    if (model is None) == (predictions is None):
        raise InputError("give --model, or --predictions of any model; one of them")
    check_file(data)
    if predictions is None:
        check_model(model)
        keep_freed_memory()
        start_interpreter(model)
    else:
        check_file(predictions)
    from keras_roberta.cli.printing import print_json, print_tables, print_values
    from keras_roberta.jobs.evaluate import measure
    from keras_roberta.jobs.score_predictions import score_predictions

    if predictions is None:
        measured = measure(model, data, options, out=out, overwrite=overwrite)
    else:
        measured = score_predictions(predictions, data, options, out=out, overwrite=overwrite)
    if as_json:
        print_json(measured.to_dict())
        return
    print_values(measured.summary)
    print_tables(measured.tables())
