"""`keras-roberta tokenizer train`"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from keras_roberta.cli.derived import derived_command
from keras_roberta.cli.paths import Corpus, Overwrite
from keras_roberta.jobs.options.train_tokenizer import TrainTokenizerOptions

app = typer.Typer(help="Make a tokenizer.", no_args_is_help=True)


@app.callback()
def tokenizer():
    """Make a tokenizer."""


@app.command()
@derived_command
def train(
    corpus: Corpus,
    out: Annotated[Path, Option(help="Directory for the tokenizer's files.")],
    options: TrainTokenizerOptions,
    overwrite: Overwrite = False,
):
    """Learn a tokenizer from your own text.

    Example: keras-roberta tokenizer train --corpus text/ --vocab-size 32000 --out tok/
    """
    from keras_roberta.cli.printing import print_values
    from keras_roberta.jobs.train_tokenizer import train_tokenizer

    made, shares = train_tokenizer(
        corpus, out, options, overwrite=overwrite, progress=sys.stderr.isatty()
    )
    values = {"tokenizer": str(out), "vocabulary": made.vocabulary_size}
    if len(shares) > 1:
        values |= {f"share of {language}": share for language, share in sorted(shares.items())}
    print_values(values)
