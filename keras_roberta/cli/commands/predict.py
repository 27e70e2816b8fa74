"""`keras-roberta predict`"""

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from keras_roberta.cli.paths import Model, check_file, check_model
from keras_roberta.cli.quiet_interpreter import start_interpreter
from keras_roberta.cli.startup import start_tensorflow
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.evaluate import PredictOptions
from keras_roberta.training.allocator import keep_freed_memory


def predict(
    model: Model,
    options: PredictOptions,
    texts: Annotated[
        list[str] | None, Argument(help="Texts; without any, the lines of standard input.")
    ] = None,
    data: Annotated[Path | None, Option(help="A table of texts instead.")] = None,
    out: Annotated[
        Path | None, Option(help="File for the predictions, .jsonl or .tsv.", show_default="stdout")
    ] = None,
):
    """Answer for texts: on standard output one line a text, answer and text between tabs."""
    if texts and data:
        raise InputError("give texts or --data, not both")
    options.check_source(data)
    if out and out.suffix not in (".jsonl", ".tsv"):
        raise InputError(f"{out}: name it .jsonl or .tsv")
    check_model(model)
    if data:
        check_file(data)
    else:
        texts = texts or _lines_of_stdin()
    start_tensorflow()
    keep_freed_memory()
    start_interpreter()
    from keras_roberta.jobs.evaluate import predict, tab_separated

    rows = predict(model, texts, options, data=data, out=out)
    if out is None:
        # What cannot be said in the terminal's encoding becomes "?".
        _replace_what_cannot_be_coded(sys.stdout)
        for row in rows:
            print(tab_separated(row))


def _lines_of_stdin():
    _replace_what_cannot_be_coded(sys.stdin)  # by U+FFFD
    texts = [line.rstrip("\r\n") for line in sys.stdin]
    if not texts:
        raise InputError("standard input holds no texts")
    return texts


def _replace_what_cannot_be_coded(stream):
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
