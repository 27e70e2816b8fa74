"""Fine-tunes a checkpoint on a table of texts and labels."""

import csv
import dataclasses
import json
import time

import keras
import tensorflow as tf

from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_directory
from keras_roberta.files.output_directory import check_output_directory
from keras_roberta.jobs.columns import Columns, labels_of, read_texts
from keras_roberta.scores import scores
from keras_roberta.tasks.text_classifier import RobertaTextClassifier
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer
from keras_roberta.training.runs.progress import ProgressBar
from keras_roberta.training.workers.multi_worker import WorkerRank

# Class numbers further apart than this are codes, not numbers of classes.
_LARGEST_NUM_CLASSES = 1000


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
    remat: bool = False
    dropout: float | None = None
    lora_rank: int | None = None

    def __post_init__(self):
        for name in ("epochs", "batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} must be positive; got {getattr(self, name)}")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be in [0, 1); got {self.dropout}")
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
    columns=None,
    options=None,
    num_classes=None,
    limit=None,
    overwrite=False,
    strategy=None,
):
    """Fine-tunes, measures on the dev file and writes a preset.

    `out` gets the preset, `metrics.json` and `history.csv`, all at once when all is done.

    Args:
        preset: see `RobertaTextClassifier.from_preset`.
        train, dev: tables; see `read_table`. `dev` may be None.
        out: directory to write.
        task: "classify" or "regress".
        columns: `Columns`, or None for the defaults.
        options: `TrainingOptions`, or None for the defaults.
        num_classes: where the labels are numbers; by default the largest of them and one more.
        limit: rows of each file to use, or None for all.
        overwrite: replace files in `out`, if there are any.
        strategy: `tf.distribute.Strategy`, or None for one device. Of several workers, each of
            which reads all the files, the chief writes `out`.

    Returns:
        the task and its metrics, a dict.

    Raises:
        InputError: names the file, line, column or option that does not fit.
    """
    columns, options = columns or Columns(), options or TrainingOptions()
    strategy = strategy or tf.distribute.get_strategy()
    is_chief = WorkerRank.of(strategy).is_chief
    if is_chief:
        check_output_directory(out, overwrite)
    train, dev = (path and read_table(path).head(limit) for path in (train, dev))
    texts = read_texts(train, columns)
    if task == "regress":
        num_classes, labels, targets = 1, None, train.numbers(columns.label, "--label-column")
    else:
        num_classes, labels, targets = class_targets(train, columns.label, num_classes)
    validation = None
    if dev:
        of_dev = columns.of_dev
        validation = (
            read_texts(dev, of_dev, "--dev-"),
            labels_of(dev, of_dev.label, num_classes, labels, "--dev-label-column"),
        )

    keras.utils.set_random_seed(options.seed)
    with strategy.scope():
        model = RobertaTextClassifier.from_preset(
            preset,
            num_classes=num_classes,
            labels=labels,
            sequence_length=options.sequence_length,
            dtype=options.dtype,
            remat=options.remat or None,  # without the option, what the preset says
            encoder_dropout=options.dropout,
        )
    started = time.monotonic()
    history = fit(model, texts, targets, validation, options)
    seconds = time.monotonic() - started
    metrics = {"train_rows": len(train), "train_seconds": round(seconds, 1)}
    if not is_chief:
        return model, metrics
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
    with model.distribute_strategy.scope():
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


def class_targets(table, column, num_classes=None):
    """Number of classes, their names (None where labels are numbers), and the labels as numbers."""
    option = "--label-column"
    distinct = sorted(set(table.classes(column, option)))
    names = tuple(distinct) if isinstance(distinct[0], str) else None
    if names and num_classes not in (None, len(names)):
        raise InputError(f"{table.path}: {len(names)} labels, but --num-classes is {num_classes}")
    if not names and num_classes is None and distinct[-1] >= _LARGEST_NUM_CLASSES:
        raise InputError(
            f"{table.path}: labels go up to {distinct[-1]}; number the classes from 0, or give "
            "--num-classes if you mean it"
        )
    if len(distinct) < 2:
        raise InputError(
            f"{table.path}: column {column!r} holds a single label, {distinct[0]!r}; a classifier "
            "needs two or more"
        )
    num_classes = num_classes or (len(names) if names else max(2, distinct[-1] + 1))
    return num_classes, names, table.class_numbers(column, names, num_classes, option)
