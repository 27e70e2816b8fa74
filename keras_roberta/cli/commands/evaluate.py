"""`keras-roberta evaluate`"""

from pathlib import Path
from typing import Annotated

from typer import Option

from keras_roberta.cli.paths import Model, check_file, check_model
from keras_roberta.cli.quiet_interpreter import start_interpreter
from keras_roberta.cli.startup import start_tensorflow
from keras_roberta.jobs.options.evaluate import EvaluateOptions
from keras_roberta.training.allocator import keep_freed_memory


def evaluate(
    model: Model,
    data: Annotated[Path, Option(help="Texts and labels: .tsv, .csv or .jsonl.")],
    options: EvaluateOptions,
    as_json: Annotated[bool, Option("--json", help="Print a JSON object.")] = False,
):
    """Measure a model on texts whose labels are known."""
    check_file(data)
    check_model(model)
    start_tensorflow()
    keep_freed_memory()
    start_interpreter()
    from keras_roberta.cli.printing import print_values
    from keras_roberta.jobs.evaluate import evaluate

    measured = evaluate(model, data, options)
    print_values(measured, as_json)
