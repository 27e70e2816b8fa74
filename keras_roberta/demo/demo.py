"""Everything once: pre-train, fine-tune, export, compare, in about five minutes on two cores."""

import contextlib
import dataclasses
import time
from pathlib import Path

import keras
from rich.table import Table

from keras_roberta.config import RobertaConfig
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.demo.baselines import majority_class, tf_idf
from keras_roberta.demo.docstrings import collect, library_of_docstring
from keras_roberta.demo.small_pretraining import pretrain
from keras_roberta.export.comparison import as_table
from keras_roberta.export.picture import draw
from keras_roberta.export.saved_model import to_saved_model
from keras_roberta.export.tflite import to_tflite
from keras_roberta.files.output_directory import check_output_directory
from keras_roberta.jobs.columns import labels_of, read_texts
from keras_roberta.jobs.finetune import TrainingOptions, class_targets, fit, save
from keras_roberta.jobs.report import compare, write_json
from keras_roberta.tasks.text_classifier import RobertaTextClassifier
from keras_roberta.tokenizers.training import train_byte_level_bpe
from keras_roberta.training.runs.progress import console, progress_bar, waiting

VOCABULARY_SIZE = 8000
SEQUENCE_LENGTH = 128
LENGTHS = (32, 64, 128)  # of the TFLite signatures
# A small encoder that starts near nothing needs larger steps than a checkpoint does.
SMALL = TrainingOptions(epochs=3, learning_rate=1e-3, weight_decay=0.01)
CHECKPOINT = TrainingOptions(epochs=1, learning_rate=5e-5)


@dataclasses.dataclass(frozen=True)
class Task:
    """Texts and class numbers to learn and to be measured on, and the labels' names or None."""

    name: str
    train: tuple[list[str], list[int]]
    test: tuple[list[str], list[int]]
    num_classes: int
    labels: tuple[str, ...] | None = None


def demo_on_docstrings(out, seed=0, overwrite=False, pretraining_seconds=60, site_packages=None):
    """The demo on the documentation inside the installed packages.

    Writes into `out`: the presets `pretrained` and `finetuned`, `float32.tflite`, `int8.tflite`,
    `saved_model`, `report.json` and `report.png`.

    Returns:
        rich tables to print.
    """
    check_output_directory(out, overwrite)
    out, stages = Path(out), Stages()
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
    with stages("pre-train"):
        config = RobertaConfig.named(
            "tiny",
            vocabulary_size=tokenizer.vocabulary_size,
            max_sequence_length=SEQUENCE_LENGTH,
            seed=seed,
        )
        model, pretraining = pretrain(
            data.corpus, tokenizer, config, pretraining_seconds, sequence_length=SEQUENCE_LENGTH
        )
        model.save_to_preset(out / "pretrained")
    console.print(
        f"masked LM loss {pretraining['loss_before']:.2f} -> {pretraining['loss_after']:.2f} in "
        f"{pretraining['steps']} steps, {pretraining['tokens'] / 1e6:.1f} million tokens"
    )
    task = Task(
        "which library is a docstring of?", data.train, data.test, len(data.labels), data.labels
    )
    return _finetune_and_compare(
        out / "pretrained", out, task, dataclasses.replace(SMALL, seed=seed), stages, pretraining
    )


def demo_on_tables(
    preset, train, dev, out, columns, seed=0, limit=None, epochs=None, overwrite=False
):
    """The demo from a checkpoint, on a user's tables; see `finetune` for the arguments."""
    check_output_directory(out, overwrite)
    train, dev = (read_table(path).head(limit) for path in (train, dev))
    num_classes, labels, targets = class_targets(train, columns.label)
    of_dev = columns.of_dev
    task = Task(
        f"{train.path.name} -> {dev.path.name}",
        (read_texts(train, columns), targets),
        (
            read_texts(dev, of_dev, "--dev-"),
            labels_of(dev, of_dev.label, num_classes, labels, "--dev-label-column"),
        ),
        num_classes,
        labels,
    )
    keras.utils.set_random_seed(seed)
    options = dataclasses.replace(CHECKPOINT, seed=seed, epochs=epochs or CHECKPOINT.epochs)
    return _finetune_and_compare(preset, Path(out), task, options, Stages())


def _finetune_and_compare(preset, out, task, options, stages, pretraining=None):
    with stages("fine-tune"):
        model = RobertaTextClassifier.from_preset(
            preset,
            num_classes=task.num_classes,
            labels=task.labels,
            sequence_length=SEQUENCE_LENGTH,
        )
        history = fit(model, *task.train, None, options)
        save(model, out / "finetuned", {"train_rows": len(task.train[1])}, history)
    exported = [out / "float32.tflite", out / "int8.tflite", out / "saved_model"]
    longest = model.preprocessor.sequence_length
    lengths = [length for length in LENGTHS if length < longest] + [longest]
    with stages("export"), waiting("exporting to TFLite and SavedModel"):
        pairs = isinstance(task.test[0], tuple)
        for path, quantization in zip(exported, ("none", "int8"), strict=False):
            to_tflite(
                model, path, quantization, sequence_lengths=lengths, pairs=pairs, overwrite=True
            )
        to_saved_model(model, exported[2], pairs=pairs, overwrite=True)
    with stages("compare"), waiting("running all of them on the held-out texts"):
        rows = [
            majority_class(task.train[1], task.test[1]),
            tf_idf(*task.train, *task.test),
            *compare(model, out / "finetuned", exported, *task.test),
        ]
    write_json(
        out / "report.json",
        rows,
        task=task.name,
        labels=task.labels,
        train_rows=len(task.train[1]),
        test_rows=len(task.test[1]),
        options=dataclasses.asdict(options),
        pretraining=pretraining,
        seconds=stages.seconds,
    )
    title = f"{task.name} ({task.num_classes} classes, {len(task.test[1]):,} held-out texts)"
    draw(out / "report.png", rows, pretraining and pretraining["loss_curve"], title)
    return [as_table(rows, title), stages.table()]


class Stages:
    """Times the parts of a job: `with stages("name"): …`."""

    def __init__(self):
        self.seconds = {}

    @contextlib.contextmanager
    def __call__(self, name):
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 1)

    def table(self):
        """A rich table of seconds and shares."""
        table, total = Table(box=None), sum(self.seconds.values())
        table.add_column("stage")
        table.add_column("seconds", justify="right")
        table.add_column("share", justify="right")
        for name, seconds in [*self.seconds.items(), ("all", total)]:
            table.add_row(name, f"{seconds:.1f}", f"{seconds / total:.0%}")
        return table
