"""Confusion matrices as a picture."""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure
import numpy as np

from keras_roberta.schemas.metrics import ConfusionMatrix

_MOST_MATRICES = 24
_MOST_NAMED = 40  # classes whose names are still readable beside the matrix
_MOST_NUMBERED = 20  # classes whose cells have room for a number


def draw_confusions(path: str | Path, matrices: Sequence[ConfusionMatrix], title: str) -> None:
    """Writes a PNG with a panel for each matrix, as many as are still readable.

    A cell is as dark as its share of the texts of its true class.
    """
    matrices = matrices[:_MOST_MATRICES]
    columns = min(len(matrices), 4)
    lines = math.ceil(len(matrices) / columns)
    side = 2.6 if len(matrices) > 1 else min(3 + 0.35 * len(matrices[0].labels), 14)
    # The figure's own canvas, not pyplot: no window, no global state.
    figure = matplotlib.figure.Figure(
        figsize=(side * columns + 1, side * lines + 0.6), layout="constrained"
    )
    panels = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axes in panels[len(matrices) :]:
        axes.set_axis_off()
    for axes, matrix in zip(panels, matrices, strict=False):
        _draw(axes, matrix)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    figure.savefig(path, dpi=150, format="png")


def _draw(axes, matrix):
    counts, size = matrix.counts, len(matrix.labels)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if size <= _MOST_NUMBERED:
        for (true, answer), count in np.ndenumerate(counts):
            color = "white" if shares[true, answer] > 0.6 else "black"
            axes.text(answer, true, str(count), ha="center", va="center", color=color, fontsize=8)
    if size <= _MOST_NAMED:
        names = [name if len(name) <= 20 else f"{name[:19]}…" for name in matrix.labels]
        axes.set_xticks(range(size), names, rotation=90 if size > 3 else 0, parse_math=False)
        axes.set_yticks(range(size), names, parse_math=False)
    axes.set_xlabel("answer", fontsize=8)
    axes.set_ylabel("true class", fontsize=8)
    axes.set_title(matrix.title, fontsize=9, loc="left", parse_math=False)
    axes.tick_params(labelsize=8, length=0)
