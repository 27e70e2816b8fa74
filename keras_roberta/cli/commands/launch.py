"""`keras-roberta launch`"""

import sys
from typing import Annotated

import typer
from typer import Argument, Option

from keras_roberta.cli.local_workers import run_workers
from keras_roberta.errors import InputError


def launch(
    command: Annotated[
        list[str], Argument(help="After --: pretrain or finetune, with its options.")
    ],
    workers: Annotated[int, Option(min=1, help="Processes to start.")] = 2,
):
    """Run a command as several workers on this machine, to try it before a cluster does.

    Example: keras-roberta launch --workers 2 -- finetune --preset p/ --train train.tsv --out run/
    """
    if command[0] not in ("pretrain", "finetune"):
        raise InputError(f"launch: {command[0]!r} knows no workers; give pretrain or finetune")
    code = run_workers([sys.executable, "-m", "keras_roberta.cli", *command], workers)
    raise typer.Exit(code)
