"""Fine-tunes a checkpoint on a table of texts and labels."""

import csv
import dataclasses
import json
import time
from pathlib import Path

import keras

from keras_roberta.atomic_write import atomic_directory
from keras_roberta.data.tables import Table
from keras_roberta.data.tables import read_table
from keras_roberta.errors import InputError
from keras_roberta.models.roberta_text_classifier import RobertaTextClassifier
from keras_roberta.progress import ProgressBar
from keras_roberta.recipes.evaluate import scores
from keras_roberta.training.optimizer import finetuning_optimizer

# Class numbers further apart than this are codes, not numbers of classes.
_LARGEST_NUM_CLASSES = 1000


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which columns of the tables to read.

    Attributes:
        text: the texts; None for the only column that is not the label.
        text_pair: the second sentences, or None.
        label: the labels.
        dev_text, dev_text_pair, dev_label: the same in the dev file, where it names them otherwise.
    """

    text: str | None = None
    text_pair: str | None = None
    label: str = "label"
    dev_text: str | None = None
    dev_text_pair: str | None = None
    dev_label: str | None = None

    @property
    def of_dev(self):
        """The columns of the dev file. One that is found without a name is found there too."""
        return dataclasses.replace(
            self,
            text=self.dev_text or self.text,
            text_pair=self.dev_text_pair or self.text_pair,
            label=self.dev_label or self.label,
        )


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """How to train; the defaults are RoBERTa's for GLUE (Liu et al., 2019, table 10)."""

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 3e-5
    weight_decay: float = 0.1
    warmup: float = 0.06
    sequence_length: int = 128
    seed: int = 0
    dtype: str = "float32"
    lora_rank: int | None = None

    def __post_init__(self):
        for name in ("epochs", "batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} must be positive; got {getattr(self, name)}")
        if self.lora_rank is not None and self.lora_rank < 1:
            raise InputError(f"lora_rank must be at least 1; got {self.lora_rank}")
        if self.dtype not in DTYPES:
            raise InputError(f"dtype must be one of {', '.join(DTYPES)}; got {self.dtype!r}")


DTYPES = ("float32", "mixed_bfloat16", "mixed_float16")


def finetune(
    preset,
    train,
    dev,
    out,
    task="classify",
    columns=Columns(),
    options=TrainingOptions(),
    num_classes=None,
    limit=None,
    overwrite=False,
):
    """Fine-tunes, measures on the dev file and writes a preset.

    `out` gets the preset, `metrics.json` and `history.csv`, all at once when all is done.

    Args:
        preset: see `RobertaTextClassifier.from_preset`.
        train, dev: tables; see `read_table`. `dev` may be None.
        out: directory to write.
        task: "classify" or "regress".
        columns: `Columns`
        options: `TrainingOptions`
        num_classes: where the labels are numbers; by default the largest of them and one more.
        limit: rows of each file to use, or None for all.
        overwrite: replace files in `out`, if there are any.

    Returns:
        the task and its metrics, a dict.

    Raises:
        InputError: names the file, line, column or option that does not fit.
    """
    check_output_directory(out, overwrite)
    train, dev = (path and read_table(path).head(limit) for path in (train, dev))
    texts = text_columns(train, columns)
    num_classes, labels, targets = _targets(train, columns.label, task, num_classes)
    validation = None
    if dev:
        of_dev = columns.of_dev
        validation = (
            text_columns(dev, of_dev, "--dev-"),
            labels_of(dev, of_dev.label, num_classes, labels, "--dev-label-column"),
        )

    keras.utils.set_random_seed(options.seed)
    model = RobertaTextClassifier.from_preset(
        preset,
        num_classes=num_classes,
        labels=labels,
        sequence_length=options.sequence_length,
        dtype=options.dtype,
    )
    started = time.monotonic()
    history = fit(model, texts, targets, validation, options)
    seconds = time.monotonic() - started
    metrics = {"train_rows": len(train), "train_seconds": round(seconds, 1)}
    if validation:
        outputs = model.predict(validation[0], batch_size=options.batch_size, verbose=0)
        metrics |= {"dev_rows": len(dev), **scores(outputs, validation[1])}
    save(model, out, metrics, history)
    return model, metrics


def fit(model, texts, targets, validation, options, description="fine-tuning", callbacks=()):
    """Compiles after `options` and fits with a progress bar.

    Returns:
        list of dicts, one an epoch.
    """
    if options.lora_rank:
        model.backbone.enable_lora(options.lora_rank)
    model.compile(
        finetuning_optimizer(
            options.learning_rate, warmup=options.warmup, weight_decay=options.weight_decay
        )
    )
    bar = ProgressBar(description)
    try:
        history = model.fit(
            texts,
            targets,
            validation_data=validation,
            batch_size=options.batch_size,
            epochs=options.epochs,
            callbacks=[bar, *callbacks],
            verbose=0,
        ).history
    finally:
        bar.close()
    return [
        {"epoch": epoch + 1, **{name: float(values[epoch]) for name, values in history.items()}}
        for epoch in range(len(history["loss"]))
    ]


def save(model, out, metrics, history):
    """Writes the preset, its metrics and the history of the run, all or nothing."""
    with atomic_directory(out) as directory:
        model.save_to_preset(directory)
        text = json.dumps(metrics, indent=2) + "\n"
        (directory / "metrics.json").write_text(text, encoding="utf-8")
        with open(directory / "history.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, history[0])
            writer.writeheader()
            writer.writerows(history)


def check_output_directory(out, overwrite):
    """Raises unless `out` is new, empty, or may be overwritten."""
    out = Path(out)
    if out.is_file():
        raise InputError(f"{out}: is a file; --out names a directory")
    if not overwrite and out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: exists and is not empty; give another --out, or --overwrite")


def text_columns(table: Table, columns: Columns, prefix="--"):
    """The texts of a table as the task takes them: a list, or a pair of lists.

    Args:
        prefix: "--" or "--dev-", for the option's name in messages.
    """
    option = f"{prefix}text-column"
    name = columns.text
    if name is None:
        others = [n for n in table.columns if n not in (columns.label, columns.text_pair)]
        if len(others) != 1:
            raise InputError(
                f"{table.path}: which column holds the texts? say {option} (one of {table.names})"
            )
        (name,) = others
    texts = table.texts(name, option)
    if columns.text_pair is None:
        return texts
    return texts, table.texts(columns.text_pair, f"{prefix}text-pair-column")


def labels_of(table, column, num_classes, labels, option="--label-column"):
    """The labels of a table as numbers of a model with so many classes; 1 for regression."""
    if num_classes == 1:
        return table.numbers(column, option)
    return table.class_numbers(column, labels, num_classes, option)


def _targets(table, column, task, num_classes):
    """Number of classes, their names or None, and the labels as numbers."""
    option = "--label-column"
    if task == "regress":
        return 1, None, table.numbers(column, option)
    values = table.classes(column, option)
    distinct = sorted(set(values))
    if isinstance(values[0], str):
        if num_classes not in (None, len(distinct)):
            raise InputError(
                f"{table.path}: {len(distinct)} labels, but --num-classes is {num_classes}"
            )
        num_classes, names = len(distinct), distinct
    else:
        if num_classes is None and distinct[-1] >= _LARGEST_NUM_CLASSES:
            raise InputError(
                f"{table.path}: labels go up to {distinct[-1]}; number the classes from 0, or "
                "give --num-classes if you mean it"
            )
        num_classes, names = num_classes or distinct[-1] + 1, None
    if num_classes < 2:
        raise InputError(
            f"{table.path}: column {column!r} holds one label, {distinct[0]!r}; a classifier needs "
            "two or more"
        )
    return num_classes, names, table.class_numbers(column, names, num_classes, option)
