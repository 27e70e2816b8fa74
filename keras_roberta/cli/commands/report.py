"""`keras-roberta report`"""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from keras_roberta.cli.paths import check_file, check_model, expand_home
from keras_roberta.cli.quiet_interpreter import start_interpreter
from keras_roberta.jobs.options.report import ReportOptions
from keras_roberta.training.allocator import keep_freed_memory


def report(
    models: Annotated[
        list[str],
        Argument(help="Exported files and SavedModel directories.", callback=expand_home),
    ],
    preset: Annotated[
        str, Option(help="The preset that they were exported from.", callback=expand_home)
    ],
    data: Annotated[Path, Option(help="Texts and labels to compare on.")],
    out: Annotated[Path, Option(help="Directory for the table and the picture.")],
    options: ReportOptions,
):
    """Compare exported models with the preset: quality, agreement, size and latency.

    Example: keras-roberta report model.tflite --preset run/ --data dev.tsv --out report/
    """
    check_file(data)
    for model in (*models, preset):
        check_model(model)
    keep_freed_memory()
    start_interpreter(*models)
    from rich.console import Console

    from keras_roberta.jobs.report import report_on_table

    table = report_on_table(models, preset, data, out, options)
    Console().print(table)
