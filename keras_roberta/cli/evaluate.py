"""`keras-roberta evaluate` and `keras-roberta predict`"""

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from keras_roberta.cli.startup import start_tensorflow
from keras_roberta.errors import InputError
from keras_roberta.training.allocator import keep_freed_memory

Model = Annotated[str, Option(help="A preset, a .tflite file or a SavedModel's directory.")]
Tokenizer = Annotated[
    str | None, Option(help="Preset that a model on token ids came from, for its tokenizer.")
]
TextColumn = Annotated[
    str | None, Option(help="Column of the texts.", show_default="the one that is not the label")
]
TextPairColumn = Annotated[str | None, Option(help="Column of the second sentences.")]
Threads = Annotated[int, Option(min=1, help="For TFLite.")]
Limit = Annotated[int | None, Option(min=1, help="Use only the first rows.")]


def evaluate(
    model: Model,
    data: Annotated[Path, Option(help="Texts and labels: .tsv, .csv or .jsonl.")],
    tokenizer: Tokenizer = None,
    text_column: TextColumn = None,
    text_pair_column: TextPairColumn = None,
    label_column: Annotated[str, Option(help="Column of the labels.")] = "label",
    limit: Limit = None,
    threads: Threads = 1,
    as_json: Annotated[bool, Option("--json", help="Print a JSON object.")] = False,
):
    """Measure a model: accuracy and macro F1, or mean squared error and correlation."""
    start_tensorflow()
    keep_freed_memory()
    from keras_roberta.cli.printing import print_values
    from keras_roberta.jobs.columns import Columns
    from keras_roberta.jobs.evaluate import evaluate

    columns = Columns(text_column, text_pair_column, label_column)
    print_values(evaluate(model, data, columns, tokenizer, limit, threads), as_json)


def predict(
    model: Model,
    texts: Annotated[
        list[str] | None, Argument(help="Texts; without any, the lines of standard input.")
    ] = None,
    data: Annotated[Path | None, Option(help="A table of texts instead.")] = None,
    tokenizer: Tokenizer = None,
    text_column: TextColumn = None,
    text_pair_column: TextPairColumn = None,
    out: Annotated[
        Path | None, Option(help="File for the predictions, .jsonl or .tsv.", show_default="stdout")
    ] = None,
    limit: Limit = None,
    threads: Threads = 1,
):
    """Label texts: on standard output one line a text, label, score and text, between tabs."""
    if texts and data:
        raise InputError("give texts or --data, not both")
    if text_pair_column and not data:
        raise InputError("--text-pair-column goes with --data")
    if out and out.suffix not in (".jsonl", ".tsv"):
        raise InputError(f"{out}: name it .jsonl or .tsv")
    # What is not UTF-8 becomes U+FFFD on the way in, and "?" on the way out.
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if not texts and not data:
        texts = [line.rstrip("\r\n") for line in sys.stdin]
        if not texts:
            raise InputError("standard input holds no texts")
    start_tensorflow()
    keep_freed_memory()
    from keras_roberta.jobs.columns import Columns
    from keras_roberta.jobs.evaluate import predict, tab_separated

    columns = Columns(text_column, text_pair_column)
    rows = predict(model, texts and texts[:limit], columns, data, tokenizer, out, limit, threads)
    if out is None:
        for row in rows:
            print(tab_separated(row))
