"""`keras-roberta demo`"""

from pathlib import Path
from typing import Annotated

from typer import Option

from keras_roberta.cli.startup import start_tensorflow
from keras_roberta.errors import InputError
from keras_roberta.training.allocator import keep_freed_memory


def demo(
    out: Annotated[Path, Option(help="Directory for models, table, picture and JSON.")] = Path(
        "demo-out"
    ),
    preset: Annotated[
        str | None,
        Option(help="Start from this checkpoint and your data; goes with --train, --dev."),
    ] = None,
    train: Annotated[Path | None, Option(help="Training data: .tsv, .csv or .jsonl.")] = None,
    dev: Annotated[Path | None, Option(help="Held-out data.")] = None,
    text_column: Annotated[
        str | None,
        Option(help="Column of the texts.", show_default="the one that is not the label"),
    ] = None,
    label_column: Annotated[str, Option(help="Column of the labels.")] = "label",
    dev_text_column: Annotated[
        str | None, Option(help="The dev file's name for it, if another.")
    ] = None,
    epochs: Annotated[
        int | None, Option(min=1, help="Times to go over --train.", show_default="1")
    ] = None,
    seed: Annotated[int, Option(help="Seeds everything.")] = 0,
    limit: Annotated[
        int | None, Option(min=1, help="Use only the first rows of each file.")
    ] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace files in --out.")] = False,
):
    """Everything once, in five minutes: pre-train, fine-tune, export, compare.

    Without options, on the documentation inside the installed Python packages: which library was a
    docstring written for?
    """
    given = {"--preset": preset, "--train": train, "--dev": dev}
    missing = [option for option, value in given.items() if value is None]
    if missing and len(missing) < len(given):
        raise InputError(f"--preset, --train and --dev go together; give {', '.join(missing)}")
    if missing and (epochs or limit):
        raise InputError("--epochs and --limit go with --preset, --train and --dev")
    start_tensorflow()
    keep_freed_memory()
    from rich.console import Console

    from keras_roberta.demo.demo import demo_on_docstrings, demo_on_tables
    from keras_roberta.jobs.columns import Columns

    if missing:
        tables = demo_on_docstrings(out, seed, overwrite)
    else:
        columns = Columns(text_column, label=label_column, dev_text=dev_text_column)
        tables = demo_on_tables(preset, train, dev, out, columns, seed, limit, epochs, overwrite)
    for table in tables:
        Console().print(table)
    Console().print(f"models, picture and JSON: {out}")
