"""Whether a head that is there has the labels of some data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_roberta.data.examples.label_names import shortened
from keras_roberta.errors import InputError


def check_head_fits(wanted: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    """Raises unless a head has the labels, in whatever order, and the size that data want.

    Args:
        wanted: settings of a task, with `labels` (None where classes are numbers) and
            `num_classes` where it has these.
        saved: those that the head was made with.

    Raises:
        InputError: says what both have.

    >>> check_head_fits({"labels": ["no", "yes"]}, {"labels": ["yes", "no"]})
    """
    names, found = wanted.get("labels"), saved.get("labels")
    if "labels" in wanted and set(names or ()) != set(found or ()):
        raise InputError(f"its labels are {_shown(found)}; those of the data are {_shown(names)}")
    sizes = wanted.get("num_classes"), saved.get("num_classes")
    if None not in sizes and sizes[0] != sizes[1]:
        raise InputError(f"it has {sizes[1]} classes; the data have {sizes[0]}")


def _shown(labels):
    return shortened(labels) if labels else "numbers"
