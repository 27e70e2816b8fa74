"""Whether there is room on a disk, asked before the work."""

import math
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401 - gives NumPy bfloat16
import numpy as np

from keras_roberta.errors import OutputError
from keras_roberta.files.output_errors import output_errors

_SMALL_FILES = 1 << 20  # bytes, more than a config, a table and a picture take


def check_room(out: str | os.PathLike, num_bytes: float = 0, replaced: int = 0) -> None:
    """Raises unless a disk has room for an output.

    Args:
        out: a file or directory; it need not exist.
        num_bytes: what it takes besides some small files.
        replaced: bytes of older files that are removed before it is written.

    Raises:
        OutputError: there is less room.
    """
    path = Path(out).absolute()
    with output_errors(out):
        place = next(parent for parent in (path, *path.parents) if parent.exists())
        needed, free = num_bytes + _SMALL_FILES, shutil.disk_usage(place).free + replaced
    if free < needed:
        with_replaced = " with what it replaces" if replaced else ""
        raise OutputError(
            out,
            f"it takes {needed / 1e6:,.1f} MB, and {free / 1e6:,.1f} are free{with_replaced}",
            "make room or give another place",
        )


def bytes_of(variables: Iterable[Any]) -> int:
    """What variables take in their own dtypes."""
    return sum(math.prod(v.shape) * np.dtype(str(v.dtype)).itemsize for v in variables)


def bytes_in_float32(variables: Iterable[Any]) -> int:
    """What variables take in files whose numbers are float32 in any case."""
    return 4 * sum(math.prod(variable.shape) for variable in variables)
