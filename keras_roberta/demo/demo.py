"""Everything once: pre-train, fine-tune, export, compare, in about five minutes on two cores."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
from rich.table import Table

from keras_roberta.data.examples.table_files import read_table
from keras_roberta.demo.docstring_reader import collect
from keras_roberta.demo.finetune_and_compare import LabelledTexts, finetune_and_compare
from keras_roberta.demo.library_of_docstring import library_of_docstring
from keras_roberta.demo.short_pretraining import prepare_shards, pretrain_on_shards
from keras_roberta.demo.stages import Stages
from keras_roberta.files.hold_output import hold_directory
from keras_roberta.jobs.options.demo import DemoOptions
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.options import OptionError
from keras_roberta.schemas import OneLabel
from keras_roberta.tokenizers.training import train_byte_level_bpe
from keras_roberta.training.runs.progress import console, progress_bar, waiting

VOCABULARY_SIZE = 8000
# A small encoder that starts near nothing needs larger steps than a checkpoint does.
SMALL = FinetuneOptions(epochs=3, learning_rate=1e-3, weight_decay=0.01)
CHECKPOINT = FinetuneOptions()


def demo_on_docstrings(
    out: str | Path,
    options: DemoOptions | None = None,
    *,
    overwrite: bool = False,
    pretraining_seconds: float = 60,
    site_packages: str | Path | None = None,
) -> list[Table]:
    """The demo on the documentation inside the installed packages.

    Writes into `out`: `corpus.jsonl` and its `shards`, the presets `pretrained` and `finetuned`,
    `float32.tflite`, `int8.tflite`, `saved_model`, `report.json` and `report.png`.

    Returns:
        rich tables to print.
    """
    with hold_directory(out, overwrite):
        seed = (options or DemoOptions()).seed
        return _on_docstrings(Path(out), seed, pretraining_seconds, site_packages)


def _on_docstrings(out, seed, pretraining_seconds, site_packages):
    stages = Stages()
    keras.utils.set_random_seed(seed)
    with stages("collect docstrings"), progress_bar() as bar:
        line = bar.add_task("reading docstrings", total=None)
        found = collect(
            site_packages, on_progress=lambda n, of: bar.update(line, completed=n, total=of)
        )
        data = library_of_docstring(found, per_library=1200)
    console.print(
        f"{len(data.corpus):,} docstrings to pre-train on; {len(data.train[0]):,} to fine-tune and "
        f"{len(data.test[0]):,} held out, of {', '.join(data.labels)}"
    )
    with stages("train vocabulary"), waiting("training the vocabulary"):
        tokenizer = train_byte_level_bpe(data.corpus, VOCABULARY_SIZE)
    with stages("prepare"):
        shards = prepare_shards(data.corpus, tokenizer, out)
    with stages("pre-train"):
        pretraining = pretrain_on_shards(
            shards, out / "pretrained", seconds=pretraining_seconds, seed=seed
        )
    loss = "" if pretraining.loss is None else f"held-out masked LM loss {pretraining.loss:.2f}; "
    console.print(f"{loss}{pretraining.steps} steps, {pretraining.tokens / 1e6:.1f} million tokens")
    texts = LabelledTexts(
        "which library is a docstring of?",
        OneLabel(len(data.labels), data.labels),
        data.train,
        data.test,
    )
    return finetune_and_compare(
        out / "pretrained",
        out,
        texts,
        dataclasses.replace(SMALL, seed=seed),
        stages,
        curves=(pretraining.curve,),
        facts={
            "pretraining": {
                "loss": pretraining.loss,
                "steps": pretraining.steps,
                "tokens": pretraining.tokens,
            }
        },
    )


def demo_on_tables(
    out: str | Path, options: DemoOptions, *, overwrite: bool = False
) -> list[Table]:
    """The demo from a checkpoint, on a user's tables.

    Args:
        out: directory to write; see `demo_on_docstrings`.
        options: with `preset`, `train` and `dev`.
        overwrite: replace files in `out`.

    Returns:
        rich tables to print.

    Raises:
        InputError: names the file, line, column or option that does not fit.
    """
    if not options.on_tables:
        raise OptionError(("preset", "train", "dev"), ": give all of them")
    with hold_directory(out, overwrite):
        return _on_tables(Path(out), options)


def _on_tables(out, options):
    columns, limit = options.tables.columns, options.tables.limit
    train, dev = (
        read_table(path, header=columns.header).head(limit) for path in (options.train, options.dev)
    )
    schema, of_dev = OneLabel.from_table(train, columns), columns.of_dev
    texts = LabelledTexts(
        f"{train.path.name} -> {dev.path.name}",
        schema,
        (schema.read_inputs(train, columns), schema.read_targets(train, columns)),
        (
            schema.read_inputs(dev, of_dev, prefix="--dev-"),
            schema.read_targets(dev, of_dev, prefix="--dev-"),
        ),
    )
    keras.utils.set_random_seed(options.seed)
    finetuning = dataclasses.replace(
        CHECKPOINT, seed=options.seed, epochs=options.epochs or CHECKPOINT.epochs
    )
    return finetune_and_compare(options.preset, out, texts, finetuning, Stages())
