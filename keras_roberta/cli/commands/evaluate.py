"""`keras-roberta evaluate`"""

from pathlib import Path
from typing import Annotated

from typer import Option

from keras_roberta.cli.paths import Model, Overwrite, check_file, check_model
from keras_roberta.cli.quiet_interpreter import start_interpreter
from keras_roberta.jobs.options.evaluate import EvaluateOptions
from keras_roberta.training.allocator import keep_freed_memory


def evaluate(
    model: Model,
    data: Annotated[Path, Option(help="Texts and labels: .tsv, .csv or .jsonl.")],
    options: EvaluateOptions,
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
    check_file(data)
    check_model(model)
    keep_freed_memory()
    start_interpreter(model)
    from keras_roberta.cli.printing import print_json, print_tables, print_values
    from keras_roberta.jobs.evaluate import measure

    measured = measure(model, data, options, out=out, overwrite=overwrite)
    if as_json:
        print_json(measured.to_dict())
        return
    print_values(measured.summary)
    print_tables(measured.tables())
