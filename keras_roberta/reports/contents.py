"""What a report holds, before it becomes a table, a picture or a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Row:
    """What was measured of one model; None is what was not measured, or does not apply.

    Attributes:
        name: of the model.
        scores: how good its answers are, as its schema's `scores` gives them: `accuracy` and
            `macro_f1`, or `mse` and `pearson`, or others. A score may be None.
        agreement: share of its answers that are the reference's; None where answers are numbers.
        largest_change: of a probability or a value, against the reference; see `Comparison`.
        megabytes: size on disk, 1 MB = 1,000,000 bytes.
        median_ms, p95_ms: milliseconds for one text.
        quantization: how the weights are kept, such as "none", "float16" or "int8".
        sequence_length: tokens of the text that is timed.
        threads: of a `.tflite`; None for TensorFlow's own.
    """

    name: str
    scores: Mapping[str, float | None] = dataclasses.field(default_factory=dict)
    agreement: float | None = None
    largest_change: float | None = None
    megabytes: float | None = None
    median_ms: float | None = None
    p95_ms: float | None = None
    quantization: str | None = None
    sequence_length: int | None = None
    threads: int | None = None


@dataclasses.dataclass(frozen=True)
class Curve:
    """A number over the course of a training run, such as the loss; one line or several.

    Attributes:
        title: what the number is.
        lines: name -> pairs (x, y) in the order of x.
        x: what is counted from left to right.
    """

    title: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    x: str = "step"


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that one report says.

    Attributes:
        title: one line.
        rows: the models that are compared.
        curves: of the training, if there was any.
        facts: more about the models and the data, as JSON can hold it.
    """

    title: str | None = None
    rows: Sequence[Row] = ()
    curves: Sequence[Curve] = ()
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: `title`, `models` (the rows), `curves`, and each of the facts."""
        curves = [
            {
                **dataclasses.asdict(curve),
                "lines": {k: [*map(list, v)] for k, v in curve.lines.items()},
            }
            for curve in self.curves
        ]
        return {
            "title": self.title,
            "models": [dataclasses.asdict(row) for row in self.rows],
            "curves": curves,
            **self.facts,
        }
