"""Models that answer the same texts, measured side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.reports.contents import Row
from keras_roberta.reports.latency import latencies_over_texts, summary
from keras_roberta.reports.quality import quality
from keras_roberta.schemas.schema import Schema


class Model(Protocol):
    """What is measured.

    Attributes:
        schema: what its outputs mean.
        num_bytes: size on disk.
    """

    schema: Schema
    num_bytes: int

    def outputs(self, texts) -> dict[str, np.ndarray]:
        """Named outputs of texts, a list or a pair of lists."""

    def one(self, texts) -> Any:
        """Runs a single text (a list of one), without what a batch needs."""


def side_by_side(models: Mapping[str, Model], texts, targets: np.ndarray | None) -> list[Row]:
    """Measures models on texts; the first one is the reference.

    Args:
        models: name -> model.
        texts: a list, or a pair of lists.
        targets: as the schema's `targets` gives them; None where there are none.

    Returns:
        list of `Row`. The latency is that of one text, its tokenization included.

    Raises:
        InputError: a model answers another question than the reference.
    """
    check_same_kind({name: model.schema for name, model in models.items()})
    outputs = [model.outputs(texts) for model in models.values()]
    times = latencies_over_texts([model.one for model in models.values()], texts)
    return [
        Row(
            name,
            **quality(model.schema, found, targets, outputs[0] if i else None),
            megabytes=model.num_bytes / 1e6,
            **summary(times[i]),
        )
        for i, ((name, model), found) in enumerate(zip(models.items(), outputs, strict=True))
    ]


def check_same_kind(schemas: Mapping[str, Schema]):
    """Raises an `InputError` where models give answers of different kinds or other classes."""
    (first, expected), *others = schemas.items()
    for name, schema in others:
        if schema.name != expected.name:
            raise InputError(
                f"{name}: gives answers of the kind {schema.name!r}, and {first} of the kind "
                f"{expected.name!r}; compare models of one task"
            )
        if schema.label_names != expected.label_names:
            raise InputError(
                f"{name}: has the labels {_listed(schema)}, and {first} has {_listed(expected)}; "
                "compare models of one task"
            )


def _listed(schema: Schema, most=8):
    names: Sequence[str] = schema.label_names
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
