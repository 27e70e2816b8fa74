"""`keras-roberta compress …`, a function for each way to make a model smaller."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from keras_roberta.cli.derived import derived_command
from keras_roberta.cli.paths import (
    Corpus,
    Overwrite,
    check_corpus,
    check_file,
    check_model,
    expand_home,
)
from keras_roberta.cli.workers import Strategy, is_chief, is_first_worker, strategy_of
from keras_roberta.jobs.options.distill import DistillOptions
from keras_roberta.jobs.options.trim_vocabulary import TrimVocabularyOptions
from keras_roberta.jobs.unfinished_run import check_place
from keras_roberta.training.allocator import keep_freed_memory

app = typer.Typer(help="Make a model smaller.", no_args_is_help=True)


@app.callback()
def compress():
    """Make a model smaller."""


Preset = Annotated[
    str,
    Option(
        help="A preset, a Hugging Face directory as downloaded, or hf://org/name.",
        callback=expand_home,
    ),
]


@app.command()
@derived_command
def trim(
    preset: Preset,
    corpus: Corpus,
    out: Annotated[Path, Option(help="Directory for the smaller preset.")],
    options: TrimVocabularyOptions,
    overwrite: Overwrite = False,
):
    """Keep the part of the vocabulary that a corpus uses.

    Example: keras-roberta compress trim --preset run/ --corpus texts/ --out trimmed/
    """
    check_model(preset)
    check_corpus(corpus)
    from keras_roberta.cli.printing import print_values
    from keras_roberta.cli.progress_bars import ProgressBars
    from keras_roberta.jobs.trim_vocabulary import trim_vocabulary

    with ProgressBars() as progress:
        report = trim_vocabulary(
            preset, corpus, out, options, overwrite=overwrite, progress=progress
        )
    print_values({"preset": str(out), **_lines(report, options.heldout)})


@app.command()
@derived_command
def distill(
    preset: Annotated[str, Option(help="Fine-tuned preset, the teacher.", callback=expand_home)],
    train: Annotated[Path, Option(help="Training data, as of finetune, with the same labels.")],
    out: Annotated[Path, Option(help="Directory for the smaller preset, metrics and history.")],
    options: DistillOptions,
    dev: Annotated[Path | None, Option(help="Data to measure on.")] = None,
    strategy: Strategy = "auto",
    overwrite: Overwrite = False,
):
    """Train a task of fewer layers on what a fine-tuned one answers.

    Example: keras-roberta compress distill --preset run/ --train train.tsv --out small/
    """
    for table in (train, dev):
        check_file(table)
    check_model(preset)
    if is_first_worker(strategy):
        check_place(out, overwrite)
    keep_freed_memory()
    from keras_roberta.cli.printing import print_values
    from keras_roberta.jobs.distill import distill

    with contextlib.ExitStack() as run:
        student, metrics = distill(
            preset,
            train,
            dev,
            out,
            options,
            overwrite=overwrite,
            strategy=lambda: run.enter_context(strategy_of(strategy)),
        )
        if is_chief(student.distribute_strategy):
            print_values({"model": str(out), **metrics})


def _lines(report, heldout):
    lines = {
        name: f"{values['before']:,.{digits}f} before, {values['after']:,.{digits}f} after"
        for name, digits in (("tokens", 0), ("parameters", 0), ("megabytes", 1))
        for values in [report[name]]
    }
    if report["changed_tokens"] is None:
        why = "too few documents, raise --heldout" if heldout else "--heldout is 0"
        return {**lines, "changed tokens": f"not measured: {why}"}
    return {
        **lines,
        "changed tokens": f"{report['changed_tokens']:.2%} of {report['heldout_tokens']:,}, of "
        "documents held out",
        "length in tokens": f"{report['length_ratio']:.4f} times as before",
    }
