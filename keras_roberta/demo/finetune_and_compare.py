"""The second half of the demo: fine-tune, export, compare with what is simpler."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from rich.table import Table

from keras_roberta.demo.baselines import majority_class, tf_idf
from keras_roberta.demo.stages import Stages
from keras_roberta.export.saved_model import to_saved_model
from keras_roberta.export.tflite import to_tflite
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.jobs.report import compare_exports
from keras_roberta.jobs.task_training import compile_task, fit, save
from keras_roberta.reports.contents import Curve, Report
from keras_roberta.reports.table import as_table
from keras_roberta.reports.write import write_report
from keras_roberta.schemas import OneLabel
from keras_roberta.tasks.text_classifier import RobertaTextClassifier
from keras_roberta.training.runs.progress import waiting

SEQUENCE_LENGTH = 128


@dataclasses.dataclass(frozen=True)
class LabelledTexts:
    """What is learnt.

    Attributes:
        name: of the problem, for the title.
        schema: the classes.
        train, test: texts (a list, or a pair of lists) and class numbers.
    """

    name: str
    schema: OneLabel
    train: tuple[list[str], list[int]]
    test: tuple[list[str], list[int]]


def finetune_and_compare(
    preset: str | Path,
    out: Path,
    texts: LabelledTexts,
    options: FinetuneOptions,
    stages: Stages,
    *,
    curves: tuple[Curve, ...] = (),
    facts: dict | None = None,
) -> list[Table]:
    """Writes `finetuned`, three exported models, `report.json` and `report.png` into `out`.

    Args:
        preset: the encoder to start from.
        curves, facts: more for the report.

    Returns:
        rich tables to print.
    """
    with stages("fine-tune"):
        model = RobertaTextClassifier.from_preset(
            preset,
            load_head=False,
            **texts.schema.task_settings(),
            sequence_length=SEQUENCE_LENGTH,
        )
        compile_task(model, options)
        history = fit(model, *texts.train, None, options)
        save(model, out / "finetuned", {"train_rows": len(texts.train[1])}, history)
    with stages("export"), waiting("exporting to TFLite and SavedModel"):
        exported = _export(model, out)
    with stages("compare"), waiting("running all of them on the held-out texts"):
        rows = [
            majority_class(texts.schema, texts.train[1], texts.test[1]),
            tf_idf(texts.schema, *texts.train, *texts.test),
            *compare_exports(model, out / "finetuned", exported, *texts.test),
        ]
    classes, held_out = texts.schema.num_classes, len(texts.test[1])
    title = f"{texts.name} ({classes} classes, {held_out:,} held-out texts)"
    facts = {
        "task": texts.name,
        "labels": texts.schema.labels,
        "train_rows": len(texts.train[1]),
        "test_rows": held_out,
        "options": dataclasses.asdict(options),
        **(facts or {}),
        "seconds": stages.seconds,
    }
    write_report(out, Report(title, rows, curves, facts))
    return [as_table(rows, title), stages.table()]


def _export(model, out):
    """Paths of the model in each form."""
    paths = [out / "float32.tflite", out / "int8.tflite", out / "saved_model"]
    for path, quantization in zip(paths, ("none", "int8"), strict=False):
        to_tflite(model, path, quantization, overwrite=True)
    to_saved_model(model, paths[2], overwrite=True)
    return paths
