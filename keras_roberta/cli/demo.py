"""`keras-roberta demo`"""

from pathlib import Path
from typing import Annotated

from typer import Option

from keras_roberta.cli.startup import start_tensorflow


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
