"""Exported files of one task, each measured on its dev data."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import Table
from keras_roberta.errors import InputError
from keras_roberta.export.arguments import check_sides
from keras_roberta.export.note_scores import note_scores
from keras_roberta.export.quantization import QuantizationScheme
from keras_roberta.jobs.predictor import runner_predictor
from keras_roberta.reports.contents import Row
from keras_roberta.reports.latency import latencies_over_texts, summary
from keras_roberta.reports.quality import quality
from keras_roberta.reports.size_on_disk import bytes_on_disk
from keras_roberta.reports.variants import Variant


class FileMeasure:
    """Measures files beside the task that they came from.

    Args:
        task: the task in Keras, the reference.
        preset: where it was opened.
        table: the dev data.
        columns: of that.
        threads: of a file.

    Attributes:
        score: name of the main score.
        points: how many points one of it is.
        tokenizer: of the task, or None.
        reference: `Row` of the task.

    Raises:
        InputError: no labels can measure the task, or its main score on the data is no number.
    """

    def __init__(self, task: Any, preset: str | Path, table: Table, columns: Columns, threads: int):
        schema = task.schema
        if not schema.has_targets:
            raise InputError(
                f"{preset}: gives {schema.name}, which no column of labels can measure; name a "
                "--quantization"
            )
        self.preset, self.table, self.threads = preset, table, threads
        self.tokenizer = getattr(task.preprocessor, "tokenizer", None)
        self._schema = schema
        self._texts = schema.read_inputs(table, columns)
        self._targets = schema.read_targets(table, columns)
        self.score = schema.main_score_of(self._targets)
        self.points = schema.main_score_points
        self._outputs = task.named_outputs(self._texts)
        found = quality(schema, self._outputs, self._targets)
        size = bytes_on_disk(open_checkpoint(preset).directory)
        self.reference = Row("Keras", **found, megabytes=size / 1e6)
        if self.reference.scores.get(self.score) is None:
            raise InputError(f"{table.path}: the task's {self.score} on it is no number")

    def check_pairs(self, pairs: bool, inputs: str) -> None:
        """Raises an InputError unless the data are what a file takes.

        Args:
            pairs: whether it takes two texts a row.
            inputs: "text" or "tokens", which may be of either.
        """
        sides = self._schema.texts_of(self._texts)
        check_sides(self._schema, sides, inputs, pairs, self.table.path)

    def __call__(self, scheme: QuantizationScheme, path: Path) -> Variant:
        """What a file is worth that was written in a scheme; its scores are noted in it."""
        predictor = runner_predictor(path, self.tokenizer, self.threads)
        found = quality(self._schema, predictor.outputs(self._texts), self._targets, self._outputs)
        times = latencies_over_texts([predictor.one], self._texts)[0]
        row = Row(
            scheme.name,
            **found,
            megabytes=predictor.num_bytes / 1e6,
            **summary(times),
            quantization=scheme.name,
            threads=self.threads,
        )
        score, expected = (one.scores[self.score] for one in (row, self.reference))
        if score is None:  # as a correlation of answers that are all the same
            refused = f"its {self.score} on the dev data is no number"
            return Variant(scheme.name, scheme.summary, refused=refused)
        note_scores(path, self.table.path.name, len(self.table), row.scores)
        row = dataclasses.replace(row, megabytes=bytes_on_disk(path) / 1e6)
        drop = round(self.points * (expected - score), 6)  # without the error of the subtraction
        return Variant(scheme.name, scheme.summary, row=row, drop=drop)
