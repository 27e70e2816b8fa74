"""`keras-roberta tokenizer train`"""

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from keras_roberta.cli import corpus as corpus_options

app = typer.Typer(help="Make a tokenizer.", no_args_is_help=True)


@app.callback()
def tokenizer():
    """Make a tokenizer."""


@app.command()
def train(
    corpus: corpus_options.Corpus,
    out: Annotated[Path, Option(help="Directory for the tokenizer's files.")],
    vocab_size: Annotated[int, Option(min=261, help="Ids in all.")] = 50265,
    documents: corpus_options.Documents = "block",
    languages_from: corpus_options.LanguagesFrom = "none",
    language_alpha: corpus_options.LanguageAlpha = 0.7,
    text_field: corpus_options.TextField = "text",
    language_field: corpus_options.LanguageField = "language",
    sample_mb: Annotated[int, Option(min=1, help="Learn from about so much of the text.")] = 1000,
    overwrite: corpus_options.Overwrite = False,
):
    """Learn a byte-level BPE from your own text."""
    import sys

    from keras_roberta.cli.printing import print_values
    from keras_roberta.data.corpus.corpora import CorpusOptions
    from keras_roberta.jobs.train_tokenizer import train_tokenizer

    made, shares = train_tokenizer(
        corpus,
        out,
        vocab_size,
        CorpusOptions(documents, languages_from, text_field, language_field),
        language_alpha,
        sample_mb * 10**6,
        overwrite,
        progress=sys.stderr.isatty(),
    )
    values = {"tokenizer": str(out), "vocabulary": made.vocabulary_size}
    if len(shares) > 1:
        values |= {f"share of {language}": share for language, share in sorted(shares.items())}
    print_values(values)
