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
from keras_roberta.jobs.options.compress import ClusterOptions, PruneOptions, QatOptions
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


Finetuned = Annotated[str, Option(help="Fine-tuned preset.", callback=expand_home)]
Train = Annotated[Path, Option(help="Training data, as of finetune, with the same labels.")]
Dev = Annotated[Path | None, Option(help="Data to measure on.")]
Out = Annotated[Path, Option(help="Directory for the new preset, metrics and history.")]


@app.command()
@derived_command
def distill(
    preset: Annotated[str, Option(help="Fine-tuned preset, the teacher.", callback=expand_home)],
    train: Train,
    out: Out,
    options: DistillOptions,
    dev: Dev = None,
    strategy: Strategy = "auto",
    overwrite: Overwrite = False,
):
    """Train a task of fewer layers on what a fine-tuned one answers.

    Example: keras-roberta compress distill --preset run/ --train train.tsv --out small/
    """
    from keras_roberta.jobs.distill import distill

    _train(distill, preset, train, dev, out, options, strategy, overwrite)


def _add_compression(name, record, help_, example):
    """Adds a command that trains a preset on; its options are those of a record."""

    def command(
        preset: Finetuned,
        train: Train,
        out: Out,
        options: record,
        dev: Dev = None,
        strategy: Strategy = "auto",
        overwrite: Overwrite = False,
    ):
        _compress(preset, train, dev, out, options, strategy, overwrite)

    command.__doc__ = f"{help_}\n\nExample: keras-roberta compress {name} {example}"
    app.command(name)(derived_command(command))


_add_compression(
    "prune",
    PruneOptions,
    "Train on while the smallest weights become zero.",
    "--preset run/ --train t.tsv --sparsity 0.8 --out small/",
)
_add_compression(
    "cluster",
    ClusterOptions,
    "Train on while the weights of each matrix come to share a few values.",
    "--preset run/ --train train.tsv --out small/",
)
_add_compression(
    "qat",
    QatOptions,
    "Train on with weights rounded as in a .tflite file: quantisation-aware training.",
    "--preset run/ --train train.tsv --out small/",
)


def _compress(preset, train, dev, out, options, strategy, overwrite):
    from keras_roberta.jobs.compress import compress, weights_before_and_after

    if not _train(compress, preset, train, dev, out, options, strategy, overwrite):
        return
    from keras_roberta.cli.printing import print_tables
    from keras_roberta.reports.weights import weights_table

    quantization = options.measured_scheme
    found = weights_before_and_after(preset, out, quantization)
    print_tables({f"as {quantization} .tflite": weights_table(found)})


def _train(job, preset, train, dev, out, options, strategy, overwrite):
    """Runs a job that trains, and prints what came of it; True on the chief of its workers."""
    for table in (train, dev):
        check_file(table)
    check_model(preset)
    if is_first_worker(strategy):
        check_place(out, overwrite)
    keep_freed_memory()
    from keras_roberta.cli.printing import print_values

    with contextlib.ExitStack() as run:
        task, metrics = job(
            preset,
            train,
            dev,
            out,
            options,
            overwrite=overwrite,
            strategy=lambda: run.enter_context(strategy_of(strategy)),
        )
        chief = is_chief(task.distribute_strategy)
        if chief:
            print_values({"model": str(out), **metrics})
    return chief


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
