"""How good a model's answers are, and how like another's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_roberta.schemas.schema import Schema


def quality(
    schema: Schema,
    outputs: Mapping[str, np.ndarray],
    targets: np.ndarray | None = None,
    reference: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Fields of a `Row`: `scores` where there are targets, the comparison with a reference.

    Args:
        outputs: named outputs of the model, each (rows, ...).
        targets: as `schema.targets` gives them, or None.
        reference: the named outputs of the reference for the same texts, or None.
    """
    found = {}
    if targets is not None:
        found["scores"] = schema.scores(outputs, targets)
    if reference is not None:
        comparison = schema.compare(outputs, reference)
        found["agreement"] = comparison.agreement
        found["largest_change"] = comparison.largest_change
    return found
