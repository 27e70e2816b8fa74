"""`keras-roberta demo`"""

from pathlib import Path
from typing import Annotated

from typer import Option

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.cli.paths import Overwrite, check_model
from keras_roberta.cli.quiet_interpreter import start_interpreter
from keras_roberta.files.output_checks import check_output_directory
from keras_roberta.jobs.finetune import TrainingData
from keras_roberta.jobs.options.demo import DemoOptions
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.training.allocator import keep_freed_memory


def demo(
    options: DemoOptions,
    out: Annotated[Path, Option(help="Directory for models, table, picture and JSON.")] = Path(
        "demo-out"
    ),
    overwrite: Overwrite = False,
):
    """Everything once, in five minutes: pre-train, fine-tune, export, compare.

    Without options, on the documentation inside the installed Python packages: which library was a
    docstring written for?

    Example: keras-roberta demo --preset granite-30m/ --train train.tsv --dev dev.tsv
    """
    if options.on_tables:
        check_model(options.preset)
        open_checkpoint(options.preset)
        finetuning = FinetuneOptions.from_flat(options.tables.to_dict())
        TrainingData.read(options.train, options.dev, finetuning)
    check_output_directory(out, overwrite)
    keep_freed_memory()
    start_interpreter()
    from rich.console import Console

    from keras_roberta.demo.demo import demo_on_docstrings, demo_on_tables

    if options.on_tables:
        tables = demo_on_tables(out, options, overwrite=overwrite)
    else:
        tables = demo_on_docstrings(out, options, overwrite=overwrite)
    for table in tables:
        Console().print(table)
    Console().print(f"models, picture and JSON: {out}")
